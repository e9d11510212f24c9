// Line editing over libedit's callback interface, fed by a watch on standard input. Knows nothing of what the lines
// mean.
#include "io/line.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <editline/readline.h>

#include "base/sink.h"
#include "io/line_plain.h"
#include "io/loop.h"

static struct {
	struct watch watch;
	line_done *done;
	void *arg;
} line;

// libedit calls this from rl_callback_read_char, with a malloc'ed line or NULL.
static void on_line(char *text)
{
	line_done *done = line.done;

	if (done == NULL) {
		free(text);
		return;
	}
	line_stop();
	if (text != NULL && text[0] != '\0')
		add_history(text);
	done(line.arg, text, NULL);
}

static void on_input(struct watch *watch, short revents)
{
	(void)watch;
	(void)revents;
	rl_callback_read_char();
}

bool line_is_edited(void)
{
	return isatty(STDIN_FILENO);
}

bool line_start(const char *prompt, line_done *done, void *arg)
{
	if (!line_is_edited())
		return line_plain_start(done, arg);
	if (line.done != NULL)
		return false;
	line.done = done;
	line.arg = arg;
	rl_outstream = sink_terminal(); // it edits on the descriptor itself
	rl_callback_handler_install(prompt, on_line);
	watch_start(&line.watch, STDIN_FILENO, POLLIN, on_input);
	return true;
}

void line_stop(void)
{
	line_plain_stop();
	if (line.done == NULL)
		return;
	line.done = NULL;
	watch_stop(&line.watch);
	rl_callback_handler_remove();
}
