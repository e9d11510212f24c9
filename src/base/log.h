// The log on stderr: text lines or JSON lines, every byte through redact. Results never go here; they go to stdout.
#ifndef SYNCRUN_BASE_LOG_H
#define SYNCRUN_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_json(bool json);
// One line, unbroken: the text as visible_text shows it.
void log_write(enum log_level level, const char *text, size_t len);
void log_printf(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
