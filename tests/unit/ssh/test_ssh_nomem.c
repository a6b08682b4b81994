/*
 * Memory that fails: once at the nth asking, or from then on.  The linker puts
 * the allocators below in the place of the C library's (--wrap).
 */

#include "certify.h"
#include "peer.h"

#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

static struct {
	bool is_inside; /* of a call on the connection */
	bool for_ever;
	size_t asked; /* so often inside */
	size_t fails_at; /* the first is 1; 0: never */
} memory;

static bool
has_none(void)
{
	if (!memory.is_inside)
		return false;
	memory.asked++;
	if (memory.fails_at == 0)
		return false;
	return memory.for_ever ? memory.asked >= memory.fails_at
			       : memory.asked == memory.fails_at;
}

void *
__wrap_malloc(size_t size)
{
	return has_none() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return has_none() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return has_none() ? NULL : __real_realloc(old, size);
}

char *
__wrap_strdup(const char *text)
{
	return has_none() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t len)
{
	return has_none() ? NULL : __real_strndup(text, len);
}

static void
enter(void)
{
	memory.is_inside = true;
}

static void
leave(void)
{
	memory.is_inside = false;
}

static void
start_failing(size_t at, bool for_ever)
{
	memory.asked = 0;
	memory.fails_at = at;
	memory.for_ever = for_ever;
}

static void
whole_session(struct peer *p)
{
	static const uint8_t bytes[300];
	uint32_t id;

	peer_login(p);
	id = peer_open_channel(p);
	peer_send_data(p, id, span_of(bytes, sizeof bytes));
	peer_say_kexinit(p);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEXINIT);
	enter();
	ssh_conn_keepalive(p->conn); /* has to wait */
	leave();
	peer_finish_exchange(p);
	peer_expect(p, SSH_MSG_GLOBAL_REQUEST);
	peer_send_channel(p, SSH_MSG_CHANNEL_EOF, id);
	enter();
	ssh_conn_close(p->conn, id);
	leave();
	peer_run(p);
	peer_expect(p, SSH_MSG_CHANNEL_CLOSE);
}

static void
whole_certificate(struct peer *p)
{
	static const char type[] = "ssh-ed25519-cert-v01@openssh.com";
	struct ssh_host_key *authority =
	    ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	static struct buf certificate; /* one that is left goes by the next */
	struct certify what;

	assert_non_null(authority);
	what = certify_start(
	    type, buf_span(&p->user_blob), authority, "ssh-ed25519");
	buf_fini(&certificate);
	certify(&what, &certificate);
	ssh_host_key_free(authority);
	peer_to_auth(p);
	peer_send_auth(p, &(struct peer_proof){.algorithm = type,
			      .blob = buf_span(&certificate),
			      .is_probe = true});
	peer_expect(p, SSH_MSG_USERAUTH_PK_OK);
	peer_send_auth(p, &(struct peer_proof){.algorithm = type,
			      .blob = buf_span(&certificate)});
	peer_expect(p, SSH_MSG_USERAUTH_SUCCESS);
	buf_fini(&certificate);
}

static void
whole_question(struct peer *p)
{
	peer_to_question(p);
	peer_send_reply(p, "a code");
	peer_expect(p, SSH_MSG_USERAUTH_FAILURE);
}

static void
check_end(const struct peer *p)
{
	const struct peer_event *gone = peer_event(p, SSH_EVENT_GONE);

	if (gone == NULL) /* it goes on, with a channel refused */
		assert_int_equal(
		    p->message.mem[0], SSH_MSG_CHANNEL_OPEN_FAILURE);
	else
		assert_true(strlen(gone->text) > 0);
}

static size_t
fail_one_after_the_other(void (*talk)(struct peer *p), bool for_ever)
{
	size_t at = 0;
	bool is_through;

	do {
		struct peer p;

		peer_init(&p, NULL);
		p.enter = enter;
		p.leave = leave;
		start_failing(++at, for_ever);
		is_through = peer_try(&p, talk);
		leave();
		if (!is_through)
			check_end(&p);
		else
			assert_null(peer_event(&p, SSH_EVENT_GONE));
		peer_fini(&p);
		/* To the end, when it was never asked for so often. */
	} while (memory.asked >= at);
	assert_true(is_through);
	return at;
}

static void
test_an_allocation_that_fails_ends_one_connection_at_most(void **state)
{
	assert_true(fail_one_after_the_other(whole_session, false) > 20);
	assert_true(fail_one_after_the_other(whole_question, false) > 10);
	assert_true(fail_one_after_the_other(whole_certificate, false) > 10);
}

static void
test_no_memory_at_all_ends_it_too(void **state)
{
	assert_true(fail_one_after_the_other(whole_session, true) > 20);
	assert_true(fail_one_after_the_other(whole_question, true) > 10);
	assert_true(fail_one_after_the_other(whole_certificate, true) > 10);
}

static void
test_a_connection_begins_whole_or_not_at_all(void **state)
{
	struct ssh_conn *conn;
	struct peer p;
	size_t at = 0;

	peer_init(&p, NULL);
	do {
		start_failing(++at, false);
		enter();
		conn = ssh_conn_new(&p.setup, p.engine, 0);
		leave();
		assert_true(conn == NULL || memory.asked < at);
		ssh_conn_free(conn);
	} while (conn == NULL);
	assert_true(at > 3);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_allocation_that_fails_ends_one_connection_at_most),
	    TEST(no_memory_at_all_ends_it_too),
	    TEST(a_connection_begins_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
