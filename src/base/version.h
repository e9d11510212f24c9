// The version, in one place.
#ifndef SYNCRUN_BASE_VERSION_H
#define SYNCRUN_BASE_VERSION_H

#define SYNCRUN_VERSION "0.1.0"

#endif
