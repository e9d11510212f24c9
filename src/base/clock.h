// The two clocks: monotonic for deadlines and durations, wall for records.
#ifndef SYNCRUN_BASE_CLOCK_H
#define SYNCRUN_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_mono_us(void); // microseconds since some fixed point, never steps back
int64_t clock_wall_us(void); // microseconds since 1970-01-01T00:00:00Z

#endif
