// The version, in one place.
#ifndef SYNCRUN_HOST_VERSION_H
#define SYNCRUN_HOST_VERSION_H

#define SYNCRUN_VERSION "0.1.0"

#endif
