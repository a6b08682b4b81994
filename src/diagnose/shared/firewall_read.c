#include "firewall_read.h"

#include "str.h"

#include <stdio.h>
#include <string.h>

enum { READ_MS = 20000 };

json_t *
firewall_read_nft(void)
{
	static const char *const words[] = {
	    "nft", "-j", "list", "ruleset", NULL};
	struct program program;
	json_error_t error;
	json_t *rules = NULL;

	if (!program_is_there("nft"))
		return NULL;
	if (program_run(&program, words, READ_MS) && program.status == 0)
		rules = json_loads(program_out(&program), 0, &error);
	program_fini(&program);
	return rules;
}

bool
firewall_read_iptables(enum firewall_family family, struct program *program)
{
	const char *const words[] = {
	    family == FIREWALL_IPV4 ? "iptables-save" : "ip6tables-save", NULL};

	return program_run(program, words, READ_MS) && program->status == 0;
}

void
firewall_read_text(struct span rule, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	while (rule.len > 0 && used + 1 < size) {
		const uint8_t *quote = memchr(rule.data, '"', rule.len);
		size_t len =
		    quote != NULL ? (size_t)(quote - rule.data) : rule.len;

		str_escape(span_of(rule.data, len), text + used, size - used);
		used += strlen(text + used);
		if (quote == NULL)
			break;
		if (used + 1 < size)
			text[used++] = '"';
		text[used] = '\0';
		rule = span_of(quote + 1, rule.len - len - 1);
	}
}

/* "\t\ttcp dport 22 drop # handle 4" */
static bool
find_rule(const char *listed, unsigned long number, char *text, size_t size)
{
	static const char mark[] = " # handle ";

	while (*listed != '\0') {
		size_t len = strcspn(listed, "\n");
		const char *at = memmem(listed, len, mark, strlen(mark));
		uint64_t own = 0;

		if (at != NULL &&
		    str_to_u64(span_of(at + strlen(mark),
				   (size_t)(listed + len - at) - strlen(mark)),
			1, UINT64_MAX, &own) &&
		    own == number) {
			listed += strspn(listed, " \t");
			firewall_read_text(
			    span_of(listed, (size_t)(at - listed)), text, size);
			return true;
		}
		listed += len;
		listed += strspn(listed, "\n");
	}
	return false;
}

bool
firewall_read_rule(const struct firewall_place *place, char *text, size_t size)
{
	const char *const words[] = {"nft", "-a", "list", "chain",
	    place->family, place->table, place->chain, NULL};
	struct program program;
	bool is_found = false;

	if (program_run(&program, words, READ_MS) && program.status == 0)
		is_found =
		    find_rule(program_out(&program), place->number, text, size);
	program_fini(&program);
	return is_found;
}
