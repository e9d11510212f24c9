// No core dumps. The limit is POSIX's, but a collector that core_pattern names takes no notice of it; prctl is Linux's.
#include "host/no_dump.h"

#include <sys/resource.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

void no_dump(void)
{
	// Neither can fail: a limit may always be lowered.
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifdef __linux__
	(void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
#endif
}
