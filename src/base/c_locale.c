// One locale object for the whole process, made at the first use. Knows nothing of who prints what.
#include "base/c_locale.h"

locale_t c_locale_enter(void)
{
	static locale_t c_locale;

	if (c_locale == (locale_t)0)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return uselocale(c_locale);
}
