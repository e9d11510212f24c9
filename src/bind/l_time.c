// _syncrun.time: the clocks and the calendar for scripts. Instants are integers: microseconds since 1970, UTC.
#include <lauxlib.h>

#include "base/civil.h"
#include "base/clock.h"
#include "bind/err_lua.h"
#include "bind/modules.h"

// now() -> microseconds
static int l_now(lua_State *L)
{
	lua_pushinteger(L, clock_wall_us());
	return 1;
}

// mono() -> seconds since some fixed point, as a float
static int l_mono(lua_State *L)
{
	lua_pushnumber(L, (double)clock_mono_us() / 1e6);
	return 1;
}

static int64_t check_us(lua_State *L, int index)
{
	lua_Integer us = luaL_checkinteger(L, index);

	if (us < CIVIL_MIN_US || us > CIVIL_MAX_US)
		err_raisef(L, ERR_USAGE, "%lld microseconds lie outside years 1 to 9999", (long long)us);
	return us;
}

// format(us, digits) -> RFC 3339; digits 0 to 6, or nil for the fewest that lose nothing
static int l_format(lua_State *L)
{
	int64_t us = check_us(L, 1);
	lua_Integer digits = luaL_optinteger(L, 2, CIVIL_AUTO);
	char text[CIVIL_TEXT_SIZE];

	luaL_argcheck(L, digits >= CIVIL_AUTO && digits <= 6, 2, "not between 0 and 6");
	lua_pushlstring(L, text, civil_format_rfc3339(us, (int)digits, text));
	return 1;
}

// parse(text) -> microseconds
static int l_parse(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct err err;
	int64_t us;

	if (!civil_parse_rfc3339(text, len, &us, &err))
		return err_raise(L, &err);
	lua_pushinteger(L, us);
	return 1;
}

static void set_field(lua_State *L, const char *name, int value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, name);
}

// civil(us) -> {year, month, day, hour, min, sec, usec}
static int l_civil(lua_State *L)
{
	struct civil c;

	civil_from_us(check_us(L, 1), &c);
	lua_createtable(L, 0, 7);
	set_field(L, "year", c.year);
	set_field(L, "month", c.month);
	set_field(L, "day", c.day);
	set_field(L, "hour", c.hour);
	set_field(L, "min", c.min);
	set_field(L, "sec", c.sec);
	set_field(L, "usec", c.usec);
	return 1;
}

// date_valid(text) -> boolean
static int l_date_valid(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct civil c;

	lua_pushboolean(L, civil_parse_date(text, len, &c, NULL));
	return 1;
}

static const luaL_Reg functions[] = {
	{"now", l_now},
	{"mono", l_mono},
	{"format", l_format},
	{"parse", l_parse},
	{"civil", l_civil},
	{"date_valid", l_date_valid},
	{NULL, NULL},
};

int luaopen_syncrun_time(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
