// How the program ends. The library's table of the same numbers is lua/syncrun/flow/exits.lua.
#ifndef SYNCRUN_HOST_EXITS_H
#define SYNCRUN_HOST_EXITS_H

// Exit codes: architecture.md section 7.
enum exit_code {
	EXIT_EQUAL = 0,
	EXIT_DIFFERENT = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_GUARD = 4,
	EXIT_INCOMPLETE = 5,
	EXIT_SCRIPT = 6,
	EXIT_PROOF = 7,
	EXIT_SIGNAL = 128 // plus the signal's number
};

#endif
