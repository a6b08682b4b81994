#include "ssh_conn_private.h"

#include "str.h"

#include <openssl/rand.h>

enum { COOKIE_BYTES = 16, NAMES_SHOWN = 160 };

/* The ten name-lists of a KEXINIT, in its order (RFC 4253 section 7.1). */
enum list {
	LIST_KEX,
	LIST_HOST_KEY,
	LIST_CIPHER_IN, /* client to server */
	LIST_CIPHER_OUT,
	LIST_MAC_IN,
	LIST_MAC_OUT,
	LIST_COMPRESSION_IN,
	LIST_COMPRESSION_OUT,
	LIST_LANGUAGE_IN,
	LIST_LANGUAGE_OUT,
	LIST_COUNT
};

/* What a list is called where nothing on it suits both. */
static const char *const list_names[LIST_COUNT] = {
    [LIST_KEX] = "key exchange",
    [LIST_HOST_KEY] = "host key algorithm",
    [LIST_CIPHER_IN] = "cipher",
    [LIST_CIPHER_OUT] = "cipher",
    [LIST_MAC_IN] = "MAC",
    [LIST_MAC_OUT] = "MAC",
    [LIST_COMPRESSION_IN] = "compression",
    [LIST_COMPRESSION_OUT] = "compression",
};

/* Names that only say what the client can do. */
static const char ext_info_c[] = "ext-info-c";
static const char strict_c[] = "kex-strict-c-v00@openssh.com";
static const char strict_s[] = "kex-strict-s-v00@openssh.com";

/*
 * Something that is offered, and what it stands for.  `host_key` is the index
 * in the setup of the key that the algorithm needs.
 */
struct offer {
	const char *name;
	uint8_t value;
	uint8_t host_key;
};
enum { OFFERS_MAX = SSH_HOST_ALGORITHMS_MAX };

struct offers {
	size_t count;
	struct offer of[OFFERS_MAX];
};

/* The signature algorithms of a host key, by the type that its blob names. */
static const struct {
	const char *name;
	const char *key_type;
} host_algorithms[] = {
    {"ssh-ed25519", "ssh-ed25519"},
    {"rsa-sha2-512", "ssh-rsa"},
    {"rsa-sha2-256", "ssh-rsa"},
};
enum {
	HOST_ALGORITHM_COUNT =
	    sizeof host_algorithms / sizeof host_algorithms[0]
};

const char *
ssh_host_algorithm_name(uint8_t host_algorithm)
{
	return host_algorithms[host_algorithm].name;
}

static void
add(struct offers *offers, const char *name, size_t value)
{
	offers->of[offers->count++] =
	    (struct offer){.name = name, .value = (uint8_t)value};
}

static void
offer_host_keys(const struct ssh_setup *setup, struct offers *offers)
{
	for (size_t k = 0; k < setup->host_key_count; k++) {
		struct span blob = setup->host_keys[k], type;

		if (!wire_take_string32(&blob, &type))
			continue;
		for (size_t a = 0; a < HOST_ALGORITHM_COUNT; a++) {
			if (offers->count == OFFERS_MAX ||
			    !span_is(type, host_algorithms[a].key_type))
				continue;
			add(offers, host_algorithms[a].name, a);
			offers->of[offers->count - 1].host_key = (uint8_t)k;
		}
	}
}

static void
offer_macs(const struct ssh_setup *setup, struct offers *offers)
{
	for (enum ssh_mac m = SSH_MAC_NONE + 1; m < SSH_MAC_COUNT; m++)
		if (ssh_mac_facts(m)->is_etm || setup->legacy_macs)
			add(offers, ssh_mac_facts(m)->name, m);
}

/* What we offer on a list, best first. */
static struct offers
offers_of(const struct ssh_setup *setup, enum list list)
{
	struct offers offers = {0};

	switch (list) {
	case LIST_KEX:
		for (enum ssh_kex k = 0; k < SSH_KEX_COUNT; k++)
			if (ssh_kex_is_available(k))
				add(&offers, ssh_kex_name(k), k);
		break;
	case LIST_HOST_KEY:
		offer_host_keys(setup, &offers);
		break;
	case LIST_CIPHER_IN:
	case LIST_CIPHER_OUT:
		for (enum ssh_cipher c = SSH_CIPHER_NONE + 1;
		     c < SSH_CIPHER_COUNT; c++)
			add(&offers, ssh_cipher_facts(c)->name, c);
		break;
	case LIST_MAC_IN:
	case LIST_MAC_OUT:
		offer_macs(setup, &offers);
		break;
	case LIST_COMPRESSION_IN:
	case LIST_COMPRESSION_OUT:
		add(&offers, "none", 0);
		break;
	case LIST_LANGUAGE_IN:
	case LIST_LANGUAGE_OUT:
	case LIST_COUNT:
		break;
	}
	return offers;
}

static void
put_name(struct buf *out, size_t list_start, const char *name)
{
	if (buf_len(out) > list_start)
		wire_put_u8(out, ',');
	wire_put_bytes(out, span_of_str(name));
}

void
ssh_kexinit_encode(const struct ssh_conn *conn, struct buf *payload)
{
	uint8_t cookie[COOKIE_BYTES];

	if (RAND_bytes(cookie, sizeof cookie) != 1) {
		payload->failed = true;
		return;
	}
	wire_put_u8(payload, SSH_MSG_KEXINIT);
	wire_put_bytes(payload, span_of(cookie, sizeof cookie));
	for (enum list list = 0; list < LIST_COUNT; list++) {
		struct offers offers = offers_of(conn->setup, list);
		size_t start = buf_len(payload) + 4;

		wire_put_u32(payload, 0);
		for (size_t i = 0; i < offers.count; i++)
			put_name(payload, start, offers.of[i].name);
		if (list == LIST_KEX && conn->key_exchanges == 0)
			put_name(payload, start, strict_s);
		if (payload->failed)
			return;
		wire_poke_u32(payload->mem + payload->head + start - 4,
		    (uint32_t)(buf_len(payload) - start));
	}
	wire_put_u8(payload, 0); /* no guessed packet follows */
	wire_put_u32(payload, 0);
}

/* The next name of a name-list; false at its end. */
static bool
take_name(struct span *list, struct span *name)
{
	const uint8_t *comma;

	if (list->len == 0)
		return false;
	comma = memchr(list->data, ',', list->len);
	name->data = list->data;
	name->len = comma == NULL ? list->len : (size_t)(comma - list->data);
	list->data += name->len;
	list->len -= name->len;
	if (list->len > 0) { /* the comma */
		list->data++;
		list->len--;
	}
	return true;
}

static bool
has_name(struct span list, const char *wanted)
{
	struct span name;

	while (take_name(&list, &name))
		if (span_is(name, wanted))
			return true;
	return false;
}

/* The first of the client's names that is also ours (RFC 4253 7.1). */
static const struct offer *
first_common(struct span list, const struct offers *offers)
{
	struct span name;

	while (take_name(&list, &name))
		for (size_t i = 0; i < offers->count; i++)
			if (span_is(name, offers->of[i].name))
				return &offers->of[i];
	return NULL;
}

static bool
choose(struct ssh_conn *conn, const struct span lists[LIST_COUNT],
    enum list list, struct offer *chosen)
{
	struct offers offers = offers_of(conn->setup, list);
	const struct offer *common = first_common(lists[list], &offers);
	char names[NAMES_SHOWN];

	if (common == NULL) {
		ssh_conn_fail(conn, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
		    "no %s in common; the client offers %s", list_names[list],
		    str_escape(lists[list], names, sizeof names));
		return false;
	}
	*chosen = *common;
	return true;
}

static bool
choose_cipher(struct ssh_conn *conn, const struct span lists[LIST_COUNT],
    enum list cipher_list, uint8_t *cipher, uint8_t *mac)
{
	enum list mac_list =
	    cipher_list == LIST_CIPHER_IN ? LIST_MAC_IN : LIST_MAC_OUT;
	struct offer chosen;

	if (!choose(conn, lists, cipher_list, &chosen))
		return false;
	*cipher = chosen.value;
	*mac = SSH_MAC_NONE;
	if (ssh_cipher_facts(*cipher)->is_aead)
		return true;
	if (!choose(conn, lists, mac_list, &chosen))
		return false;
	*mac = chosen.value;
	return true;
}

/* RFC 4253 section 7: right only if both sides like the same best. */
static bool
is_guess_right(
    const struct ssh_setup *setup, const struct span lists[LIST_COUNT])
{
	for (enum list list = LIST_KEX; list <= LIST_HOST_KEY; list++) {
		struct offers offers = offers_of(setup, list);
		struct span names = lists[list], name;

		if (!take_name(&names, &name) || offers.count == 0 ||
		    !span_is(name, offers.of[0].name))
			return false;
	}
	return true;
}

static bool
parse(const struct ssh_message *message, struct span lists[LIST_COUNT],
    bool *has_guess)
{
	struct span body = message->body, cookie;
	uint8_t follows;
	uint32_t reserved;

	if (!wire_take_bytes(&body, COOKIE_BYTES, &cookie))
		return false;
	for (enum list list = 0; list < LIST_COUNT; list++)
		if (!wire_take_string32(&body, &lists[list]))
			return false;
	if (!wire_take_u8(&body, &follows) ||
	    !wire_take_u32(&body, &reserved) || body.len > 0)
		return false;
	*has_guess = follows != 0;
	return true;
}

bool
ssh_kexinit_negotiate(struct ssh_conn *conn, const struct ssh_message *message)
{
	struct ssh_choice *choice = &conn->exchange->choice;
	struct span lists[LIST_COUNT];
	struct offer chosen;
	bool has_guess;

	if (!parse(message, lists, &has_guess)) {
		ssh_message_malformed(conn, message);
		return false;
	}
	/* Both only mean something in the first exchange. */
	if (conn->key_exchanges == 0) {
		conn->is_strict = has_name(lists[LIST_KEX], strict_c);
		conn->wants_ext_info = has_name(lists[LIST_KEX], ext_info_c);
	}
	if (!choose(conn, lists, LIST_KEX, &chosen))
		return false;
	choice->kex = chosen.value;
	if (!choose(conn, lists, LIST_HOST_KEY, &chosen))
		return false;
	choice->host_algorithm = chosen.value;
	choice->host_key = chosen.host_key;
	if (!choose_cipher(conn, lists, LIST_CIPHER_IN, &choice->cipher_in,
		&choice->mac_in) ||
	    !choose_cipher(conn, lists, LIST_CIPHER_OUT, &choice->cipher_out,
		&choice->mac_out) ||
	    !choose(conn, lists, LIST_COMPRESSION_IN, &chosen) ||
	    !choose(conn, lists, LIST_COMPRESSION_OUT, &chosen))
		return false;
	conn->exchange->skips_guess =
	    has_guess && !is_guess_right(conn->setup, lists);
	return true;
}
