#include "doctor_command.h"

#include "command_private.h"
#include "str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum command_fact {
	COMMAND_CORRECTED,
	COMMAND_SPELLED,
	COMMAND_AS_IT_IS,
	COMMAND_REFUSED,
	COMMAND_REFUSED_WORD,
	COMMAND_NO_SSH
};

static const struct check_row rows[] = {
    {COMMAND_CORRECTED, FINDING_OK, ERR_NONE, "corrected", "{line}", NULL,
	NULL},
    {COMMAND_SPELLED, FINDING_OK, ERR_NONE, "corrected", "{line}", NULL, NULL},
    {COMMAND_AS_IT_IS, FINDING_OK, ERR_NONE, NULL,
	"nothing to say against: {line}", NULL, NULL},
    {COMMAND_REFUSED, FINDING_FAULT, ERR_FAILED, "ssh-refuses",
	"ssh says \"{said}\"", "ssh does not take the command: {said}",
	"write what ssh takes there: man ssh, man ssh_config"},
    {COMMAND_REFUSED_WORD, FINDING_FAULT, ERR_FAILED, "ssh-refuses",
	"ssh says \"{said}\"", "ssh_config has no word {word}", "-o {near}"},
    {COMMAND_NO_SSH, FINDING_FAULT, ERR_FAILED, "no-ssh-program", "{said}",
	"there is no ssh program on this machine, or not in PATH: the command "
	"runs nowhere",
	"apt-get install openssh-client; kaya itself needs none: kaya tunnel "
	"DEST"},
};

/* ---- for the checks ---- */

void
command_tell(struct command_case *c, const struct check_row *some, size_t count,
    int fact, const struct check_word *words)
{
	struct finding finding = {.layer = "command"};

	if (check_judge(some, count, fact, words, &finding))
		findings_add(c->findings, &finding);
}

void
command_add(struct command_case *c, char letter, const char *argument)
{
	command_line_add(&c->mended, letter, argument);
}

void
command_set(
    struct command_case *c, struct command_option *option, const char *argument)
{
	option->argument = argument;
}

void
command_drop(struct command_option *option)
{
	option->dropped = true;
}

/* "Word=value", "Word value", "Word = value". */
static bool
is_for_word(const char *argument, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(argument, word, len) == 0 &&
	       (argument[len] == '=' || argument[len] == ' ' ||
		   argument[len] == '\t');
}

void
command_set_word(struct command_case *c, const char *word, const char *value)
{
	const char *text;

	for (size_t i = 0; i < c->mended.option_count; i++) {
		struct command_option *option = &c->mended.options[i];

		if (option->letter == 'o' &&
		    is_for_word(option->argument, word))
			command_drop(option);
	}
	if (value == NULL)
		return;
	text = arena_format(&c->given->arena, "%s=%s", word, value);
	if (text != NULL)
		command_add(c, 'o', text);
}

bool
command_is(const struct command_case *c, const char *word, const char *value)
{
	return c->has_settings &&
	       strcmp(ssh_settings_get(&c->settings, word), value) == 0;
}

bool
command_forks(struct command_case *c)
{
	return command_line_option(&c->mended, 'f', NULL) != NULL ||
	       command_is(c, "forkafterauthentication", "yes");
}

/* ---- what ssh makes of it ---- */

/* "-o Wrod=value" with the word that was meant; false: nobody knows it. */
static bool
mend_word(struct command_case *c, const char *word, const char *near)
{
	for (size_t i = 0; i < c->mended.option_count; i++) {
		struct command_option *option = &c->mended.options[i];

		if (option->letter != 'o' || option->dropped ||
		    !is_for_word(option->argument, word))
			continue;
		option->argument = arena_format(&c->given->arena, "%s%s", near,
		    option->argument + strlen(word));
		return option->argument != NULL;
	}
	return false;
}

static void
tell_no_ssh(struct command_case *c, const char *said)
{
	const struct check_word words[] = {{"said", said}, {0}};

	command_tell(c, COMMAND_ROWS(rows), COMMAND_NO_SSH, words);
}

/*
 * Say why ssh does not take the command.  True where it was a word, and the
 * nearest of those that -G prints for any host stands in its place now.
 */
static bool
tell_refused(struct command_case *c, const char *said)
{
	static const char *const any[] = {"-F", "none", "localhost", NULL};
	const char *word = strstr(said, "Bad configuration option: ");
	const char *names[SSH_SETTINGS_MAX + 1], *near = NULL;
	struct ssh_settings all = {0};
	bool mended;
	char why[200];

	if (word != NULL && ssh_settings_ask(&all, any, why, sizeof why) == 0) {
		word = strchr(word, ':') + 2;
		for (size_t i = 0; i < all.count; i++)
			names[i] = all.items[i].word;
		names[all.count] = NULL;
		near = str_nearest(word, names);
	}
	const struct check_word words[] = {
	    {"said", said}, {"word", word}, {"near", near}, {0}};
	command_tell(c, COMMAND_ROWS(rows),
	    near != NULL ? COMMAND_REFUSED_WORD : COMMAND_REFUSED, words);
	mended = near != NULL && mend_word(c, word, near);
	ssh_settings_fini(&all);
	return mended;
}

static bool
ask_mended(struct command_case *c)
{
	struct command_words words;
	char said[400];

	do {
		if (!command_line_words(
			&c->mended, COMMAND_LINE_NO_PROGRAM, &words))
			return false;
		ssh_settings_fini(&c->settings);
		c->has_settings = ssh_settings_ask(&c->settings, words.words,
				      said, sizeof said) == 0;
		if (c->settings.has_no_ssh) {
			tell_no_ssh(c, said);
			return false;
		}
	} while (!c->has_settings && tell_refused(c, said));
	return c->has_settings;
}

/* The option that brought a forward; NULL: it stands in ssh_config. */
static struct command_option *
find_option(struct command_case *c, const struct command_case_forward *f)
{
	for (size_t i = 0; i < c->mended.option_count; i++) {
		struct command_option *option = &c->mended.options[i];
		struct command_forward own;

		if (!option->dropped && option->letter == f->letter &&
		    command_forward_parse(
			&own, option->argument, option->letter) &&
		    command_forward_equal(&own, &f->forward))
			return option;
	}
	return NULL;
}

static void
gather_forwards(struct command_case *c)
{
	static const struct {
		const char *word;
		char letter;
	} kinds[] = {{"localforward", 'L'}, {"dynamicforward", 'D'},
	    {"remoteforward", 'R'}};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const char *value;
		size_t at = 0;

		while (c->forward_count < COMMAND_FORWARDS_MAX &&
		       (value = ssh_settings_next(
			    &c->settings, kinds[i].word, &at)) != NULL) {
			struct command_case_forward *f =
			    &c->forwards[c->forward_count];

			f->letter = kinds[i].letter;
			if (!command_forward_read(
				&f->forward, value, f->letter))
				continue;
			f->option = find_option(c, f);
			c->forward_count++;
		}
	}
}

static void
run_checks(struct command_case *c, command_check_fn *const *checks)
{
	while (*checks != NULL)
		(*checks++)(c);
}

/* ---- the corrected line ---- */

static void
tell_line(struct command_case *c, enum command_fact fact)
{
	struct finding finding = {.layer = "corrected"};
	struct buf text;

	buf_init(&text, FINDING_TEXT);
	command_line_text(&c->mended, &text);
	buf_append(&text, "", 1);
	if (!text.failed) {
		const struct check_word words[] = {
		    {"line", (const char *)buf_span(&text).data}, {0}};

		if (fact == COMMAND_AS_IT_IS)
			finding.layer = "command";
		check_judge(COMMAND_ROWS(rows), (int)fact, words, &finding);
		findings_add(c->findings, &finding);
	}
	buf_fini(&text);
}

/* Behind the first cause stands a command to type. */
static void
complete_remedy(struct command_case *c)
{
	static const char whole[] = "the whole command: ";
	const struct finding *first = findings_first(c->findings);
	struct finding *finding;
	size_t used;
	struct buf text;

	if (first == NULL || strcmp(first->layer, "command") != 0)
		return;
	finding = &c->findings->items[first - c->findings->items];
	used = strlen(finding->remedy);
	buf_init(&text, FINDING_TEXT);
	command_line_text(&c->mended, &text);
	buf_append(&text, "", 1);
	/* Cut off it would be another one. */
	if (!text.failed &&
	    used + buf_len(&text) + sizeof whole <= sizeof finding->remedy)
		snprintf(finding->remedy + used, sizeof finding->remedy - used,
		    "%s%s%s", used > 0 ? "; " : "", whole,
		    (const char *)buf_span(&text).data);
	buf_fini(&text);
}

/* ---- the walk by its settings ---- */

static const char *
format_word(struct command_case *c, const char *word, const char *value)
{
	return arena_format(&c->given->arena, "%s=%s", word, value);
}

static void
add_word(struct link_options *link, const char *word)
{
	if (word != NULL && link->word_count < LINK_WORDS_MAX)
		link->words[link->word_count++] = word;
}

/* Without IdentitiesOnly ssh offers the agent's keys as well. */
static void
add_key(struct command_case *c, struct link_options *link, const char *file)
{
	if (!command_is(c, "identitiesonly", "yes"))
		add_word(link, format_word(c, "IdentityFile", file));
	else if (link->key_count < LINK_KEYS_MAX)
		link->keys[link->key_count++] = file;
}

static void
set_link(struct command_case *c, struct link_options *link)
{
	for (size_t i = 0; i < c->mended.option_count; i++) {
		const struct command_option *option = &c->mended.options[i];
		const char *value = option->argument;

		/* What only betters the tunnel is nothing to a walk. */
		if (option->dropped || (option->added && option->letter == 'o'))
			continue;
		switch (option->letter) {
		case 'F':
			link->ssh_config = value;
			break;
		case 'J':
			link->jump = value;
			break;
		case 'l':
			link->user = value;
			break;
		case 'p':
			link->port = (uint16_t)strtol(value, NULL, 10);
			break;
		case 'i':
			add_key(c, link, value);
			break;
		case 'o':
			add_word(link, value);
			break;
		case 'b':
			add_word(link, format_word(c, "BindAddress", value));
			break;
		case 'c':
			add_word(link, format_word(c, "Ciphers", value));
			break;
		case 'm':
			add_word(link, format_word(c, "MACs", value));
			break;
		case '4':
			add_word(link, "AddressFamily=inet");
			break;
		case '6':
			add_word(link, "AddressFamily=inet6");
			break;
		}
	}
}

static void
set_dest(struct command_case *c, struct link_options *link)
{
	bool v6 = strchr(c->dest.host, ':') != NULL;

	if (c->dest.user[0] != '\0' && link->user == NULL)
		link->user = c->dest.user;
	if (c->dest.port != 0 && link->port == 0)
		link->port = c->dest.port;
	link->dest = arena_format(&c->given->arena, "%s%s%s", v6 ? "[" : "",
	    c->dest.host, v6 ? "]" : "");
}

/* The first that leads to a port at the server. */
static struct command_case_forward *
find_broker(struct command_case *c)
{
	for (size_t i = 0; i < c->forward_count; i++)
		if (c->forwards[i].letter == 'L' &&
		    c->forwards[i].forward.host[0] != '\0' &&
		    c->forwards[i].forward.host_port != 0)
			return &c->forwards[i];
	return NULL;
}

/* What was let through in the place of what was asked for, in the line. */
static void
respell(struct command_case *c, struct command_case_forward *broker,
    const char *spelling)
{
	char text[700];
	const char *copy;

	if (broker == NULL || broker->option == NULL || spelling[0] == '\0' ||
	    strcmp(spelling, broker->forward.host) == 0)
		return;
	snprintf(
	    broker->forward.host, sizeof broker->forward.host, "%s", spelling);
	command_forward_text(&broker->forward, text, sizeof text);
	copy = arena_str(&c->given->arena, span_of_str(text));
	if (copy == NULL)
		return;
	broker->option->argument = copy;
	tell_line(c, COMMAND_SPELLED);
}

static int
walk(struct command_case *c, struct err *err)
{
	struct doctor_options options = *c->options;
	struct command_case_forward *broker = find_broker(c);
	struct doctor_learned learned = {0};

	/* ssh knows nothing of what was enrolled; a DEST alone was told it. */
	options.link.memory = LINK_ENROLLS;
	set_link(c, &options.link);
	set_dest(c, &options.link);
	if (options.link.dest == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	options.local = NULL; /* looked at as the command has it */
	options.learned = &learned;
	if (broker != NULL) {
		options.broker_host = broker->forward.host;
		options.broker_port = broker->forward.host_port;
	}
	if (doctor_run(&options, c->findings, err) != 0)
		return -1;
	respell(c, broker, learned.broker_host);
	return 0;
}

/* ---- all of it ---- */

static void
look_at_command(struct command_case *c)
{
	run_checks(c, command_word_checks);
	if (c->unreadable)
		return;
	command_given_refused(c->given, c->refused, sizeof c->refused);
	if (!ask_mended(c))
		return;
	gather_forwards(c);
	run_checks(c, command_session_checks);
	run_checks(c, command_key_checks);
	run_checks(c, command_forward_checks);
	run_checks(c, command_setting_checks);
	tell_line(c, findings_first(c->findings) != NULL ? COMMAND_CORRECTED
							 : COMMAND_AS_IT_IS);
}

int
doctor_command_run(const struct doctor_options *options,
    const char *const *words, struct findings *findings, struct err *err)
{
	const struct command_given_options how = {
	    .state_dir = options->link.state_dir,
	    .ssh_config = options->link.ssh_config};
	struct command_given *given = calloc(1, sizeof *given);
	struct command_case *c = calloc(1, sizeof *c);
	int result = -1;

	if (given == NULL || c == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		goto out;
	}
	if (command_given_read(given, words, &how, err) != 0)
		goto out;
	c->options = options;
	c->findings = findings;
	c->given = given;
	c->mended = given->line;
	if (given->line.dest != NULL &&
	    !command_dest_parse(&c->dest, given->line.dest)) {
		err_set(err, ERR_USAGE, "\"%s\" is no host", given->line.dest);
		goto out;
	}
	findings->causes = FINDINGS_EVERY_CAUSE;
	look_at_command(c);
	result = c->has_settings ? walk(c, err) : 0;
	if (c->has_settings)
		complete_remedy(c);
	findings->causes = FINDINGS_FIRST_CAUSE;
out:
	if (c != NULL)
		ssh_settings_fini(&c->settings);
	if (given != NULL)
		command_given_fini(given);
	free(given);
	free(c);
	return result;
}
