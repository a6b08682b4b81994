#include "link_person.h"

#include "span.h"
#include "str.h"
#include "terminal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
	ANSWER_BYTES = 256,
	QUESTIONS_MAX = 4, /* in one round, as for a new password */
	ROUNDS_MAX = 8, /* of one try */
	WORDS_BYTES = 512 /* of the server's that are shown */
};

static const char again[] = "That is not it. "; /* of what was typed */

int
link_person_asked(const char *prompt, char *answer, size_t size, int echo,
    int verify, void *arg)
{
	struct link_person_key *key = arg;
	char question[PATH_MAX + 40];

	(void)prompt;
	(void)echo;
	(void)verify;
	snprintf(question, sizeof question,
	    "%sPassphrase of the key %s: ", key->asked++ > 0 ? again : "",
	    key->file);
	if (terminal_ask(question, answer, size, TERMINAL_HIDDEN) != 0)
		return -1;
	key->answered++;
	return 0;
}

static int
ask_hidden(const char *question, char answer[ANSWER_BYTES])
{
	return terminal_ask(question, answer, ANSWER_BYTES, TERMINAL_HIDDEN);
}

/* ---- the password as such ---- */

static enum link_person
try_password(struct link *link)
{
	char question[450], answer[ANSWER_BYTES];
	enum link_person person = LINK_PERSON_SILENT;
	int result = SSH_AUTH_DENIED;

	for (int i = 0; i < LINK_PERSON_TRIES && result == SSH_AUTH_DENIED;
	     i++) {
		snprintf(question, sizeof question,
		    "%s%s's password: ", i > 0 ? again : "", link->name);
		if (ask_hidden(question, answer) != 0)
			break;
		result = ssh_userauth_password(link->session, NULL, answer);
		person = result == SSH_AUTH_SUCCESS ? LINK_PERSON_LET_IN
						    : LINK_PERSON_REFUSED;
	}
	explicit_bzero(answer, sizeof answer);
	return person;
}

/* ---- what the server asks ---- */

/* A stranger's words: nothing that moves a cursor. */
static void
show(const char *words)
{
	char text[WORDS_BYTES];

	if (words == NULL || words[0] == '\0')
		return;
	terminal_tell(str_escape(span_of_str(words), text, sizeof text));
	terminal_tell("\n");
}

static int
answer_one(struct link *link, unsigned question)
{
	const char *words =
	    ssh_userauth_kbdint_getprompt(link->session, question, NULL);
	char text[WORDS_BYTES], prompt[sizeof link->name + WORDS_BYTES + 4];
	char answer[ANSWER_BYTES];
	int result = -1;

	str_escape(span_of_str(words != NULL ? words : ""), text, sizeof text);
	/* Whose question it is: others ask for passwords at terminals, too. */
	snprintf(prompt, sizeof prompt, "(%s) %s", link->name, text);
	if (ask_hidden(prompt, answer) == 0)
		result = ssh_userauth_kbdint_setanswer(
		    link->session, question, answer);
	explicit_bzero(answer, sizeof answer);
	return result == 0 ? 0 : -1;
}

/* A round without a question is one, too: it is answered by coming again. */
static int
answer_all(struct link *link)
{
	int count = ssh_userauth_kbdint_getnprompts(link->session);

	if (count < 0 || count > QUESTIONS_MAX)
		return -1;
	show(ssh_userauth_kbdint_getname(link->session));
	show(ssh_userauth_kbdint_getinstruction(link->session));
	for (int i = 0; i < count; i++)
		if (answer_one(link, (unsigned)i) != 0)
			return -1;
	return 0;
}

static enum link_person
try_questions(struct link *link)
{
	enum link_person person = LINK_PERSON_SILENT;
	int result = SSH_AUTH_DENIED;

	for (int i = 0; i < LINK_PERSON_TRIES && result == SSH_AUTH_DENIED;
	     i++) {
		if (i > 0)
			terminal_tell("That is not it.\n");
		result = ssh_userauth_kbdint(link->session, NULL, NULL);
		for (int k = 0; k < ROUNDS_MAX && result == SSH_AUTH_INFO;
		     k++) {
			if (answer_all(link) != 0)
				return person;
			person = LINK_PERSON_REFUSED;
			result = ssh_userauth_kbdint(link->session, NULL, NULL);
		}
	}
	return result == SSH_AUTH_SUCCESS ? LINK_PERSON_LET_IN : person;
}

enum link_person
link_person_logs_in(struct link *link, const struct link_options *options)
{
	int methods = ssh_userauth_list(link->session, NULL);

	if (options->asking == LINK_NEVER_ASK)
		return LINK_PERSON_SILENT;
	if ((methods & SSH_AUTH_METHOD_PASSWORD) != 0)
		return try_password(link);
	if ((methods & SSH_AUTH_METHOD_INTERACTIVE) != 0)
		return try_questions(link);
	return LINK_PERSON_SILENT;
}
