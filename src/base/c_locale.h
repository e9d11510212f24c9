// The "C" locale for a few statements: digits are printed and read the same whatever a script told setlocale.
#ifndef SYNCRUN_BASE_C_LOCALE_H
#define SYNCRUN_BASE_C_LOCALE_H

#include <locale.h>

// Enter it; gives the locale to go back to with uselocale.
locale_t c_locale_enter(void);

#endif
