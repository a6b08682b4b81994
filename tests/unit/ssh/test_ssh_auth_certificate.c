/* Who comes with a certificate: what the gateway is asked, and what it takes.
 */

#include "certify.h"
#include "peer.h"

#define CERT_ED25519 "ssh-ed25519-cert-v01@openssh.com"

static struct ssh_host_key *authority;

static int
set_up(void **state)
{
	authority = ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	return authority == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	ssh_host_key_free(authority);
	return 0;
}

/* The peer, as far as to show a certificate of its user's key in `blob`. */
static struct certify
start(struct peer *p)
{
	peer_init(p, NULL);
	peer_to_auth(p);
	return certify_start(
	    CERT_ED25519, buf_span(&p->user_blob), authority, "ssh-ed25519");
}

static void
test_a_certificate_that_is_allowed_is_proven_by_its_key(void **state)
{
	struct peer p;
	struct certify what = start(&p);
	struct span body, algorithm, blob, echoed;
	struct buf out;

	blob = certify(&what, &out);
	peer_send_auth(
	    &p, &(struct peer_proof){
		    .algorithm = CERT_ED25519, .blob = blob, .is_probe = true});
	body = peer_expect(&p, SSH_MSG_USERAUTH_PK_OK);
	assert_true(wire_take_string32(&body, &algorithm));
	assert_true(wire_take_string32(&body, &echoed));
	assert_true(span_is(algorithm, CERT_ED25519));
	assert_true(span_equal(echoed, blob));
	peer_send_auth(
	    &p, &(struct peer_proof){.algorithm = CERT_ED25519, .blob = blob});
	peer_expect(&p, SSH_MSG_USERAUTH_SUCCESS);
	assert_int_equal(peer_count(&p, SSH_EVENT_ACCEPTED), 1);
	/* What was remembered between the two is gone. */
	assert_null(p.conn->certified);
	buf_fini(&out);
	peer_fini(&p);
}

static void
test_the_gateway_is_told_what_the_certificate_says(void **state)
{
	struct peer p;
	struct certify what = start(&p);
	struct buf out;

	peer_send_auth(&p, &(struct peer_proof){.algorithm = CERT_ED25519,
			       .blob = certify(&what, &out)});
	assert_string_equal(
	    peer_event(&p, SSH_EVENT_AUTH)->key_id, "pump 7, by hand");
	buf_fini(&out);
	peer_fini(&p);
}

static void
expect_failure(struct peer *p)
{
	peer_expect(p, SSH_MSG_USERAUTH_FAILURE);
	peer_expect_silence(p);
	assert_null(peer_event(p, SSH_EVENT_ACCEPTED));
}

/* Whatever the gateway thinks of its authority. */
static void
test_what_no_authority_has_signed_lets_nobody_in(void **state)
{
	struct peer p;
	struct certify what = start(&p);
	struct span blob;
	struct buf out;

	blob = certify(&what, &out);
	out.mem[out.tail - 1] ^= 1;
	for (int is_probe = 0; is_probe < 2; is_probe++) {
		peer_send_auth(
		    &p, &(struct peer_proof){.algorithm = CERT_ED25519,
			    .blob = blob,
			    .is_probe = is_probe != 0});
		expect_failure(&p);
	}
	buf_fini(&out);
	peer_fini(&p);
}

/* One that was verified vouches for no other. */
static void
test_the_certificate_of_the_question_vouches_for_no_other(void **state)
{
	struct peer p;
	struct certify what = start(&p);
	struct span blob;
	struct buf out;

	blob = certify(&what, &out);
	peer_send_auth(
	    &p, &(struct peer_proof){
		    .algorithm = CERT_ED25519, .blob = blob, .is_probe = true});
	peer_expect(&p, SSH_MSG_USERAUTH_PK_OK);
	out.mem[out.tail - 1] ^= 1;
	peer_send_auth(
	    &p, &(struct peer_proof){.algorithm = CERT_ED25519, .blob = blob});
	expect_failure(&p);
	out.mem[out.tail - 1] ^= 1;
	peer_send_auth(
	    &p, &(struct peer_proof){.algorithm = CERT_ED25519, .blob = blob});
	peer_expect(&p, SSH_MSG_USERAUTH_SUCCESS);
	buf_fini(&out);
	peer_fini(&p);
}

static void
test_a_certificate_of_anothers_key_lets_nobody_in(void **state)
{
	struct peer p;
	struct certify what = start(&p);
	struct buf out;

	/* The authority's own key in the place of the user's. */
	what.fields = certify_fields(ssh_host_key_blob(authority));
	peer_send_auth(&p, &(struct peer_proof){.algorithm = CERT_ED25519,
			       .blob = certify(&what, &out)});
	expect_failure(&p);
	buf_fini(&out);
	peer_fini(&p);
}

static void
test_a_certificate_that_is_not_sound_is_refused_whatever_the_answer(
    void **state)
{
	struct peer p;
	struct certify what = start(&p);
	struct buf out;

	what.user = 2;
	peer_send_auth(&p, &(struct peer_proof){.algorithm = CERT_ED25519,
			       .blob = certify(&what, &out)});
	expect_failure(&p);
	buf_fini(&out);
	/* A plain key by the name of a certificate. */
	peer_send_auth(&p, &(struct peer_proof){.algorithm = CERT_ED25519});
	expect_failure(&p);
	/* A certificate by the name of a plain key. */
	what.user = 1;
	peer_send_auth(&p, &(struct peer_proof){.blob = certify(&what, &out)});
	expect_failure(&p);
	buf_fini(&out);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_certificate_that_is_allowed_is_proven_by_its_key),
	    TEST(the_gateway_is_told_what_the_certificate_says),
	    TEST(what_no_authority_has_signed_lets_nobody_in),
	    TEST(the_certificate_of_the_question_vouches_for_no_other),
	    TEST(a_certificate_of_anothers_key_lets_nobody_in),
	    TEST(
		a_certificate_that_is_not_sound_is_refused_whatever_the_answer),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
