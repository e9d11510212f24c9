// The memory of this process stays out of core files: keys and people's data are in it.
#ifndef SYNCRUN_HOST_NO_DUMP_H
#define SYNCRUN_HOST_NO_DUMP_H

// No core dump from now on, whatever the limits and the system's collector of dumps say. Another user's debugger is
// kept out by that, too; root's, and one that runs the program itself, are not.
void no_dump(void);

#endif
