#include "parent_private.h"

#include "clock.h"
#include "invitations_file.h"
#include "json.h"
#include "keys_edit.h"
#include "pubkey.h"

#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

/* Invitations are made, listed and cancelled at the control socket. */

enum { ANSWER_MAX_BYTES = 4 << 20, FOR_MAX_S = 30 * 24 * 3600 };

static void
put_invitation(const struct invitation *item, struct buf *json)
{
	char number[64];

	buf_append_str(json, "\"name\":");
	json_put_str(json, item->name);
	buf_append_str(json, ",\"role\":");
	json_put_str(json, item->role[0] == '\0' ? NULL : item->role);
	snprintf(number, sizeof number, ",\"until\":%" PRId64, item->until_s);
	buf_append_str(json, number);
}

/* ---- making one ---- */

/* "NAME SECONDS ROLE one": "-" is no role, "more" lets it have others. */
static bool
read_wish(struct span rest, struct invitation *wish)
{
	struct span name = parent_take_word(&rest),
		    seconds = parent_take_word(&rest);
	struct span role = parent_take_word(&rest),
		    keys = parent_take_word(&rest);
	uint64_t for_s;

	*wish = (struct invitation){.state = INVITATION_OPEN};
	if (!str_is_name(name) || !str_is_name(role) ||
	    !str_to_u64(seconds, 1, FOR_MAX_S, &for_s) || rest.len > 0 ||
	    (!span_is(keys, "one") && !span_is(keys, "more")))
		return false;
	(void)span_to_str(name, wish->name, sizeof wish->name);
	if (!span_is(role, "-"))
		(void)span_to_str(role, wish->role, sizeof wish->role);
	wish->keys =
	    span_is(keys, "one") ? INVITATION_ONE_KEY : INVITATION_MORE_KEYS;
	wish->until_s = clock_wall_s() + (int64_t)for_s;
	return true;
}

/* Whoever is invited has to be let in later: what can be seen of it now. */
static int
check_keys(
    const struct parent *parent, const struct invitation *wish, struct err *err)
{
	const char *path = parent->settings.authorized_keys;
	struct authorized_keys_line no_key = {.blob_len = 0};
	struct keys_files files;
	char copy[PATH_MAX];
	const char *folder;
	size_t number;
	int result = 0;

	if (keys_files_open(&files, path, KEYS_FILES_OWN, err) != 0)
		return -1;
	snprintf(copy, sizeof copy, "%s", path);
	folder = files.is_folder ? path : dirname(copy);
	if (access(folder, W_OK) != 0) {
		err_set_errno(
		    err, ERR_FAILED, "kayad cannot write keys into %s", folder);
		result = err_hint(err,
		    "let kayad's user write there, or keep authorized_keys in "
		    "its state folder");
	} else if (files.is_folder && wish->name[0] == '.') {
		err_set(err, ERR_USAGE,
		    "a file whose name begins with a dot is not read in %s",
		    path);
		result = err_hint(err, "choose a name that does not");
	} else if (!files.is_folder) {
		result = keys_file_check(&files.items[0], err);
	}
	for (size_t i = 0;
	     result == 0 && wish->keys == INVITATION_ONE_KEY && i < files.count;
	     i++) {
		if (keys_edit_find_clash(files.items[i].bytes, &no_key,
			wish->name, &number) == KEYS_CLASH_NONE)
			continue;
		err_set(err, ERR_FAILED, "a key goes by the name %s already",
		    wish->name);
		err_where(err, "%s:%zu", files.items[i].name, number);
		result = err_hint(err,
		    "take the old one out (kaya keys revoke %s %s), choose "
		    "another name, or say --also",
		    path, wish->name);
	}
	keys_files_close(&files);
	return result;
}

/* What devices ask for first, where there are several. */
static struct span
choose_host_key(const struct parent *parent)
{
	struct pubkey key;

	for (size_t i = 0; i < parent->host_key_count; i++) {
		struct span blob = ssh_host_key_blob(parent->host_keys[i]);

		if (pubkey_read(blob, PUBKEY_ED25519, &key) == PUBKEY_GOOD)
			return blob;
	}
	return ssh_host_key_blob(parent->host_keys[0]);
}

static uint16_t
first_port(const struct parent *parent)
{
	const struct sockaddr *address =
	    (const void *)&parent->ports.addresses[0].address;

	return ntohs(address->sa_family == AF_INET6
			 ? ((const struct sockaddr_in6 *)(const void *)address)
			       ->sin6_port
			 : ((const struct sockaddr_in *)(const void *)address)
			       ->sin_port);
}

static void
answer_invited(struct control_client *client, const struct parent *parent,
    const struct invitation *wish, const struct invite_code *code, int replaced)
{
	char text[INVITE_CODE_SIZE], fingerprint[PUBKEY_FINGERPRINT_SIZE];
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	char number[64];
	struct buf json;

	buf_init_secret(&json, ANSWER_MAX_BYTES);
	buf_append_str(&json, "{");
	put_invitation(wish, &json);
	invite_code_text(code, text);
	buf_append_str(&json, ",\"code\":");
	json_put_str(&json, text);
	pubkey_digest(choose_host_key(parent), digest);
	pubkey_fingerprint(digest, fingerprint);
	buf_append_str(&json, ",\"host_key\":");
	json_put_str(&json, fingerprint);
	snprintf(number, sizeof number, ",\"port\":%u,\"replaced\":%s}",
	    first_port(parent), replaced > 0 ? "true" : "false");
	buf_append_str(&json, number);
	control_answer(client, buf_span(&json));
	explicit_bzero(text, sizeof text);
	buf_fini(&json);
}

/*
 * Through SSH nobody makes a second person of himself: who may agree, or ask
 * the gateway for more, is invited by whoever has the gateway itself.
 */
static int
check_rights(const struct parent *parent, const struct invitation *wish,
    const struct control_client *client, struct err *err)
{
	struct policy_who who;
	bool has_rights;

	if (control_who(client) == NULL || parent->policy.policy == NULL)
		return 0;
	policy_who_init(&who, parent->policy.policy, span_of_str(wish->name),
	    span_of_str(wish->role));
	has_rights = policy_may_agree(&who);
	for (enum policy_control right = POLICY_CONTROL_STATUS;
	     right <= POLICY_CONTROL_REVOKE; right++)
		has_rights = has_rights || policy_may_control(&who, right);
	if (!has_rights)
		return 0;
	err_set(err, ERR_REFUSED,
	    "%s may agree to commands, or ask the gateway for more: nobody "
	    "lets such a one in through SSH",
	    wish->name);
	return err_hint(
	    err, "make the invitation at the gateway itself, by kaya invite");
}

/* A role that the policy has not would let the key in, and do nothing. */
static int
check_role(
    const struct parent *parent, const struct invitation *wish, struct err *err)
{
	const struct policy *policy = parent->policy.policy;

	if (policy == NULL || wish->role[0] == '\0' ||
	    policy_has_role(policy, span_of_str(wish->role)))
		return 0;
	err_set(err, ERR_FAILED, "%s has no role \"%s\"", policy_file(policy),
	    wish->role);
	return err_hint(err,
	    "name one that it has, or write it there first (kaya policy lint "
	    "shows what is wrong with it)");
}

static int
add(struct parent *parent, const struct invitation *wish, int *replaced,
    struct err *err)
{
	struct invitations_file file;
	int result = -1;

	if (check_keys(parent, wish, err) != 0 ||
	    invitations_file_open(&file, parent->settings.state, err) != 0)
		return -1;
	*replaced = invitations_add(&file.list, wish, clock_wall_s(), err);
	if (*replaced >= 0)
		result = invitations_file_save(&file, err);
	invitations_file_close(&file);
	return result;
}

static void
log_invitation(const char *event, const struct invitation *item)
{
	struct log_line line;

	if (!log_begin(&line, LOG_LEVEL_INFO, "parent", event))
		return;
	log_str(&line, "identity", item->name);
	if (item->role[0] != '\0')
		log_str(&line, "role", item->role);
	if (item->until_s > 0)
		log_u64(&line, "until", (uint64_t)item->until_s);
	log_end(&line);
}

static void
tell_invitation(struct parent *parent, const char *event,
    const struct invitation *item, const struct control_client *client)
{
	struct audit_entry entry;

	log_invitation(event, item);
	audit_begin(&entry, event);
	audit_put_str(&entry, "identity", item->name);
	if (item->role[0] != '\0')
		audit_put_str(&entry, "role", item->role);
	if (item->until_s > 0)
		audit_put_u64(&entry, "until", (uint64_t)item->until_s);
	parent_audit_requester(&entry, client);
	(void)audit_commit(parent->audit, &entry, AUDIT_SOON, NULL);
}

void
parent_invite(
    struct parent *parent, struct span rest, struct control_client *client)
{
	uint8_t secret[INVITE_CODE_SECRET_BYTES];
	struct err err = ERR_INIT;
	struct invitation wish;
	struct invite_code code;
	int replaced = 0;

	if (!read_wish(rest, &wish))
		err_set(&err, ERR_USAGE, "that is no invitation");
	else if (getrandom(secret, sizeof secret, 0) != sizeof secret)
		err_set_errno(&err, ERR_SYSTEM, "no random bytes");
	else if (check_role(parent, &wish, &err) == 0 &&
		 check_rights(parent, &wish, client, &err) == 0) {
		invitation_hash(secret, wish.hash);
		(void)add(parent, &wish, &replaced, &err);
	}
	if (err.code != ERR_NONE) {
		parent_answer_err(client, &err);
		return;
	}
	invite_code_make(&code, secret, choose_host_key(parent));
	explicit_bzero(secret, sizeof secret);
	tell_invitation(parent, "invited", &wish, client);
	answer_invited(client, parent, &wish, &code, replaced);
	explicit_bzero(&code, sizeof code);
}

/* ---- those that there are ---- */

static const char *
state_word(const struct invitation *item, int64_t now_s)
{
	return item->state == INVITATION_OPEN && now_s >= item->until_s
		   ? "expired"
		   : invitation_state_name(item->state);
}

void
parent_list_invitations(
    struct parent *parent, struct span rest, struct control_client *client)
{
	struct invitations_file file;
	struct err err = ERR_INIT;
	struct buf json;
	int64_t now_s = clock_wall_s();

	if (invitations_file_open(&file, parent->settings.state, &err) != 0) {
		parent_answer_err(client, &err);
		return;
	}
	buf_init(&json, ANSWER_MAX_BYTES);
	buf_append_str(&json, "{\"invitations\":[");
	for (size_t i = 0; i < file.list.count; i++) {
		buf_append_str(&json, i > 0 ? ",{" : "{");
		put_invitation(&file.list.items[i], &json);
		buf_append_str(&json, ",\"state\":");
		json_put_str(&json, state_word(&file.list.items[i], now_s));
		buf_append_str(&json, "}");
	}
	buf_append_str(&json, "]}");
	control_answer(client, buf_span(&json));
	buf_fini(&json);
	invitations_file_close(&file);
}

void
parent_cancel_invitation(
    struct parent *parent, struct span rest, struct control_client *client)
{
	struct invitation item = {.role = ""};
	struct invitations_file file;
	struct err err = ERR_INIT;

	if (!str_is_name(rest)) {
		err_set(&err, ERR_USAGE, "that is no name");
		parent_answer_err(client, &err);
		return;
	}
	(void)span_to_str(rest, item.name, sizeof item.name);
	if (invitations_file_open(&file, parent->settings.state, &err) != 0) {
		parent_answer_err(client, &err);
		return;
	}
	if (invitations_cancel(&file.list, item.name, clock_wall_s()) == 0) {
		err_set(
		    &err, ERR_FAILED, "no invitation of %s is open", item.name);
		err_hint(&err, "see those that are: kaya invite --list");
	} else {
		(void)invitations_file_save(&file, &err);
	}
	invitations_file_close(&file);
	if (err.code != ERR_NONE) {
		parent_answer_err(client, &err);
		return;
	}
	tell_invitation(parent, "invitation-cancelled", &item, client);
	control_answer(client, span_of_str("{\"cancelled\":true}"));
}
