#include "link_person.h"

#include "span.h"
#include "str.h"

#include <stdio.h>
#include <string.h>

enum {
	ANSWER_BYTES = 256,
	TRIES = 3,
	QUESTIONS_MAX = 4, /* in one round, as for a new password */
	ROUNDS_MAX = 8, /* of one try */
	WORDS_BYTES = 512 /* of the server's that are shown */
};

int
link_person_asked(const char *prompt, char *answer, size_t size, int echo,
    int verify, void *arg)
{
	(void)arg;
	/* What stands there is offered as a default, on the screen. */
	explicit_bzero(answer, size);
	return ssh_getpass(prompt, answer, size, echo, verify);
}

static int
ask_hidden(const char *prompt, char answer[ANSWER_BYTES])
{
	return link_person_asked(prompt, answer, ANSWER_BYTES, 0, 0, NULL);
}

/* ---- the password as such ---- */

static int
try_password(struct link *link)
{
	char prompt[450], answer[ANSWER_BYTES];
	int result = SSH_AUTH_DENIED;

	snprintf(prompt, sizeof prompt, "%s's password: ", link->name);
	for (int i = 0; i < TRIES && result == SSH_AUTH_DENIED; i++) {
		if (ask_hidden(prompt, answer) != 0)
			break;
		result = ssh_userauth_password(link->session, NULL, answer);
	}
	explicit_bzero(answer, sizeof answer);
	return result == SSH_AUTH_SUCCESS;
}

/* ---- what the server asks ---- */

/* A stranger's words: nothing that moves a cursor. */
static void
show(const char *words)
{
	char text[WORDS_BYTES];

	if (words != NULL && words[0] != '\0')
		fprintf(stderr, "%s\n",
		    str_escape(span_of_str(words), text, sizeof text));
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

static int
try_questions(struct link *link)
{
	int result = SSH_AUTH_DENIED;

	for (int i = 0; i < TRIES && result == SSH_AUTH_DENIED; i++) {
		result = ssh_userauth_kbdint(link->session, NULL, NULL);
		for (int k = 0; k < ROUNDS_MAX && result == SSH_AUTH_INFO;
		     k++) {
			if (answer_all(link) != 0)
				return 0;
			result = ssh_userauth_kbdint(link->session, NULL, NULL);
		}
	}
	return result == SSH_AUTH_SUCCESS;
}

int
link_person_logs_in(struct link *link, const struct link_options *options)
{
	int methods = ssh_userauth_list(link->session, NULL);

	if (options->asking == LINK_NEVER_ASK)
		return 0;
	if ((methods & SSH_AUTH_METHOD_PASSWORD) != 0)
		return try_password(link);
	if ((methods & SSH_AUTH_METHOD_INTERACTIVE) != 0)
		return try_questions(link);
	return 0;
}
