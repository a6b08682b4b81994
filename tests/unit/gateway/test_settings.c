#include "settings_read.h"

static void
check_fault(const char *text, const char *fault)
{
	struct read r;

	read_text(&r, text);
	assert_string_equal(r.faults, fault);
	assert_int_equal(r.result, fault[0] == '\0' ? 0 : -1);
	if (fault[0] != '\0')
		assert_int_equal(err_exit_status(r.err.code), 2);
	settings_fini(&r.s);
}

/* ---- defaults ---- */

static void
test_without_a_file_everything_is_as_the_manual_says(void **state)
{
	struct read r;

	setenv("STATE_DIRECTORY", "/var/lib/here:/other", 1);
	read_text(&r, NULL);
	assert_int_equal(r.result, 0);
	assert_true(r.s.listen_is_default);
	assert_int_equal(r.s.listen_count, 2);
	assert_string_equal(r.s.listen[0].host, "::");
	assert_string_equal(r.s.listen[1].host, "0.0.0.0");
	assert_int_equal(r.s.listen[0].port, 2222);
	assert_int_equal(r.s.listen[1].port, 2222);
	assert_true(r.s.listen[0].is_optional && r.s.listen[1].is_optional);
	assert_string_equal(r.s.state, "/var/lib/here");
	assert_int_equal(r.s.host_key_count, 1);
	assert_string_equal(r.s.host_keys[0], "/var/lib/here/host_key_ed25519");
	assert_true(r.s.host_keys_is_default);
	assert_string_equal(
	    r.s.authorized_keys, "/var/lib/here/authorized_keys");
	assert_true(r.s.authorized_keys_is_default);
	assert_null(r.s.user);
	assert_null(r.s.net_user);
	assert_in_range(r.s.threads, 1, SETTINGS_THREADS_MAX);
	assert_int_equal(r.s.broker_count, 0);
	assert_string_equal(r.s.private_broker.program, "mosquitto");
	assert_true(r.s.private_broker.persistence);
	assert_null(r.s.private_broker.extra);
	assert_int_equal(r.s.limits.sessions, 100000);
	assert_int_equal(r.s.limits.unauthenticated, 2000);
	assert_int_equal(r.s.limits.unauthenticated_per_source, 500);
	assert_int_equal(r.s.limits.login_grace_ms, 30000);
	assert_int_equal(r.s.limits.auth_tries, 20);
	assert_int_equal(r.s.limits.refusals, 10);
	assert_int_equal(r.s.limits.refusal_delay_ms, 5000);
	assert_int_equal(r.s.limits.channels, 256);
	assert_int_equal(r.s.limits.window_bytes, 256 << 10);
	assert_int_equal(r.s.limits.output_bytes, 4 << 20);
	assert_int_equal(r.s.limits.mqtt_packet_bytes, 256 << 20);
	assert_int_equal(r.s.limits.keepalive_interval_ms, 60000);
	assert_int_equal(r.s.limits.keepalive_count, 3);
	assert_int_equal(r.s.limits.takeover_ms, 3000);
	assert_int_equal(r.s.rekey.bytes, 1 << 30);
	assert_int_equal(r.s.rekey.interval_ms, 3600000);
	assert_false(r.s.legacy_macs);
	assert_int_equal(r.s.log_level, LOG_LEVEL_INFO);
	assert_int_equal(r.s.shutdown.drain_ms, 5000);
	settings_fini(&r.s);
	unsetenv("STATE_DIRECTORY");
}

static void
test_the_state_folder_is_the_users_or_the_systems(void **state)
{
	struct read r;

	unsetenv("STATE_DIRECTORY");
	setenv("XDG_STATE_HOME", "/x", 1);
	read_text(&r, NULL);
	assert_string_equal(
	    r.s.state, geteuid() == 0 ? "/var/lib/kayad" : "/x/kayad");
	settings_fini(&r.s);
	unsetenv("XDG_STATE_HOME");
	setenv("HOME", "/home/u", 1);
	read_text(&r, NULL);
	assert_string_equal(r.s.state,
	    geteuid() == 0 ? "/var/lib/kayad" : "/home/u/.local/state/kayad");
	settings_fini(&r.s);
}

/* ---- every word ---- */

static void
test_every_word_arrives(void **state)
{
	struct read r;

	read_text(&r,
	    "listen: ['[::1]:22', '127.0.0.1:0', 2200]\n"
	    "state: st\nhost_keys: [/k/a, b]\nauthorized_keys: keys.d\n"
	    "user: u\nnet_user: v\nthreads: 64\nlegacy_macs: yes\n"
	    "private_broker:\n  program: /opt/m\n  extra_lines: [a b, c]\n"
	    "  persistence: no\n  open_as: b.example:1884\n"
	    "limits:\n  sessions: 11\n  unauthenticated: 10\n"
	    "  unauthenticated_per_source: 9\n  login_grace: 8s\n"
	    "  refusals: 4\n  refusal_delay: never\n"
	    "  auth_tries: 7\n  channels: 6\n  window: 33KiB\n"
	    "  output: 200KiB\n  mqtt_packet: 2KiB\n  keepalive_interval: "
	    "never\n"
	    "  keepalive_count: 5\n  takeover: 900ms\n"
	    "rekey: {bytes: never, interval: 2h}\nlog: {level: debug}\n"
	    "shutdown: {drain: 0s}\n");
	assert_string_equal(r.faults, "");
	assert_int_equal(r.s.listen_count, 4);
	assert_string_equal(r.s.listen[0].host, "::1");
	assert_false(r.s.listen[0].is_optional);
	assert_int_equal(r.s.listen[1].port, 0);
	assert_string_equal(r.s.listen[3].host, "0.0.0.0");
	assert_int_equal(r.s.listen[3].port, 2200);
	assert_false(r.s.listen_is_default);
	assert_string_equal(r.s.state, "etc/st");
	assert_int_equal(r.s.host_key_count, 2);
	assert_string_equal(r.s.host_keys[0], "/k/a");
	assert_string_equal(r.s.host_keys[1], "etc/b");
	assert_false(r.s.host_keys_is_default);
	assert_string_equal(r.s.authorized_keys, "etc/keys.d");
	assert_false(r.s.authorized_keys_is_default);
	assert_string_equal(r.s.user, "u");
	assert_string_equal(r.s.net_user, "v");
	assert_int_equal(r.s.threads, 64);
	assert_true(r.s.legacy_macs);
	assert_string_equal(r.s.private_broker.program, "/opt/m");
	assert_int_equal(r.s.private_broker.extra_line_count, 2);
	assert_string_equal(r.s.private_broker.extra, "a b\nc\n");
	assert_false(r.s.private_broker.persistence);
	assert_int_equal(r.s.private_broker.open_as_count, 1);
	assert_int_equal(r.s.limits.sessions, 11);
	assert_int_equal(r.s.limits.unauthenticated, 10);
	assert_int_equal(r.s.limits.unauthenticated_per_source, 9);
	assert_int_equal(r.s.limits.login_grace_ms, 8000);
	assert_int_equal(r.s.limits.auth_tries, 7);
	assert_int_equal(r.s.limits.channels, 6);
	assert_int_equal(r.s.limits.refusals, 4);
	assert_int_equal(r.s.limits.refusal_delay_ms, 0);
	assert_int_equal(r.s.limits.window_bytes, 33 << 10);
	assert_int_equal(r.s.limits.output_bytes, 200 << 10);
	assert_int_equal(r.s.limits.mqtt_packet_bytes, 2 << 10);
	assert_int_equal(r.s.limits.keepalive_interval_ms, 0);
	assert_int_equal(r.s.limits.keepalive_count, 5);
	assert_int_equal(r.s.limits.takeover_ms, 900);
	assert_int_equal(r.s.rekey.bytes, 0);
	assert_int_equal(r.s.rekey.interval_ms, 7200000);
	assert_int_equal(r.s.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(r.s.shutdown.drain_ms, 0);
	settings_fini(&r.s);
}

static void
test_every_word_of_a_broker_arrives(void **state)
{
	struct read r;

	read_text(&r, "brokers:\n"
		      "- address: 10.0.0.1:1884\n"
		      "- name: b2\n  address: /run/m.sock\n"
		      "  identity: username-with-secret\n  secret_file: s\n"
		      "  open_as: [a:1, 'b:2']\n  health_interval: 1m\n"
		      "  connect_timeout: 100ms\n"
		      "- address: '[fd00::1]:1883'\n  identity: proxy-v2\n"
		      "- address: h:1883\n  identity: username\n");
	assert_string_equal(r.faults, "");
	assert_int_equal(r.s.broker_count, 4);
	assert_string_equal(r.s.brokers[0].name, "10.0.0.1:1884");
	assert_string_equal(r.s.brokers[0].address, "10.0.0.1:1884");
	assert_int_equal(r.s.brokers[0].identity, SETTINGS_PASS_THROUGH);
	assert_int_equal(r.s.brokers[0].open_as_count, 4);
	assert_string_equal(r.s.brokers[0].open_as[3].host, "10.0.0.1");
	assert_int_equal(r.s.brokers[0].open_as[3].port, 1884);
	assert_int_equal(r.s.brokers[0].health_interval_ms, 5000);
	assert_int_equal(r.s.brokers[0].connect_timeout_ms, 5000);
	assert_string_equal(r.s.brokers[1].name, "b2");
	assert_string_equal(r.s.brokers[1].address, "/run/m.sock");
	assert_int_equal(
	    r.s.brokers[1].identity, SETTINGS_USERNAME_WITH_SECRET);
	assert_string_equal(r.s.brokers[1].secret_file, "etc/s");
	assert_int_equal(r.s.brokers[1].open_as_count, 2);
	assert_int_equal(r.s.brokers[1].health_interval_ms, 60000);
	assert_int_equal(r.s.brokers[1].connect_timeout_ms, 100);
	assert_int_equal(r.s.brokers[2].identity, SETTINGS_PROXY_V2);
	assert_string_equal(r.s.brokers[2].open_as[3].host, "fd00::1");
	assert_int_equal(r.s.brokers[3].identity, SETTINGS_USERNAME);
	settings_fini(&r.s);
}

/* ---- faults of meaning ---- */

static void
test_faults_that_no_single_value_shows_are_told_with_their_place(void **state)
{
	check_fault("listen:\n- 2222\n- broker.example:22\n",
	    "etc/kayad.conf:3:3: listen[1]: `broker.example` is a name, not an "
	    "address [write an address of this machine, as 127.0.0.1 or "
	    "[::1], or the port alone]\n");
	check_fault("listen: []\n",
	    "etc/kayad.conf:1:9: listen: 0 are named [name 1 to 16]\n");
	check_fault("host_keys: [a, b, c, d, e]\n",
	    "etc/kayad.conf:1:12: host_keys: 5 are named [name 1 to 4]\n");
	check_fault("user: a\nnet_user: a\n",
	    "etc/kayad.conf:2:11: net_user: this is `user` again [name two "
	    "users: who reads the network may not read the keys]\n");
	check_fault("brokers:\n- address: a:1\nprivate_broker:\n"
		    "  persistence: no\n",
	    "etc/kayad.conf:4:3: private_broker: there is none where `brokers` "
	    "names one [take one of the two out]\n");
	check_fault("brokers:\n- address: a:1\n  identity: "
		    "username-with-secret\n",
	    "etc/kayad.conf:3:13: brokers[0].identity: username-with-secret "
	    "wants a secret_file [add `secret_file:` and the path of a "
	    "file]\n");
	check_fault("brokers:\n- address: a:1\n  secret_file: b\n",
	    "etc/kayad.conf:3:16: brokers[0].secret_file: nobody would send "
	    "this secret [set `identity: username-with-secret`, or take it "
	    "out]\n");
	check_fault("brokers:\n- {address: a:1, name: n}\n- {address: b:1, "
		    "name: n}\n",
	    "etc/kayad.conf:3:24: brokers[1].name: brokers[0] is called n too "
	    "[give each its own name]\n");
	check_fault("brokers:\n- {address: a:1, open_as: []}\n",
	    "etc/kayad.conf:2:27: brokers[0].open_as: 0 are named [name 1 to "
	    "32]\n");
	check_fault("limits:\n  unauthenticated: 5\n"
		    "  unauthenticated_per_source: 6\n",
	    "etc/kayad.conf:3:31: limits.unauthenticated_per_source: 6 is more "
	    "than limits.unauthenticated, 5 [make it smaller, or "
	    "limits.unauthenticated larger]\n");
}

static void
test_a_smaller_total_lowers_the_default_for_one_source(void **state)
{
	struct read r;

	read_text(&r, "limits: {unauthenticated: 5}\n");
	assert_string_equal(r.faults, "");
	assert_int_equal(r.s.limits.unauthenticated_per_source, 5);
	settings_fini(&r.s);
}

static void
test_a_file_with_faults_is_refused_with_the_first_in_err(void **state)
{
	struct read r;

	read_text(&r, "lisen: 1\nthreads: 65\nbrokers:\n- name: a\n");
	assert_int_equal(r.result, -1);
	assert_string_equal(r.faults,
	    "etc/kayad.conf:1:1: unknown word `lisen` [did you mean "
	    "`listen`?]\n"
	    "etc/kayad.conf:2:10: threads: 65 is too much [write a number from "
	    "1 to 64]\n"
	    "etc/kayad.conf:4:3: brokers[0].address is missing [add `address:` "
	    "and HOST:PORT or [IPV6]:PORT, or the /PATH of a UNIX socket]\n");
	assert_string_equal(r.err.where, "etc/kayad.conf:1:1");
	settings_fini(&r.s);
}

/* ---- command line ---- */

static void
test_the_command_line_goes_before_the_file(void **state)
{
	struct settings_overrides o = {.state = "/s",
	    .broker = "b.example:1883",
	    .log_level = "warn",
	    .listen = {"127.0.0.1:0", "23"},
	    .listen_count = 2};
	struct read r;

	read_with(&r,
	    "listen: 1\nstate: /x\nbrokers: [{address: a:1}, {address: b:1}]\n"
	    "log: {level: debug}\n",
	    &o);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.s.listen_count, 3);
	assert_string_equal(r.s.listen[0].host, "127.0.0.1");
	assert_int_equal(r.s.listen[0].port, 0);
	assert_int_equal(r.s.listen[2].port, 23);
	assert_false(r.s.listen_is_default);
	assert_string_equal(r.s.state, "/s");
	assert_string_equal(r.s.authorized_keys, "/s/authorized_keys");
	assert_int_equal(r.s.broker_count, 1);
	assert_string_equal(r.s.brokers[0].address, "b.example:1883");
	assert_int_equal(r.s.brokers[0].identity, SETTINGS_PASS_THROUGH);
	assert_int_equal(r.s.brokers[0].open_as_count, 4);
	assert_int_equal(r.s.log_level, LOG_LEVEL_WARN);
	settings_fini(&r.s);
}

static void
check_usage(const struct settings_overrides *o, const char *what)
{
	struct read r;

	read_with(&r, NULL, o);
	assert_int_equal(r.result, -1);
	assert_int_equal(r.err.code, ERR_USAGE);
	assert_string_equal(r.err.what, what);
	settings_fini(&r.s);
}

static void
test_a_wrong_command_line_is_wrong_usage(void **state)
{
	check_usage(&(struct settings_overrides){.broker = "1883"},
	    "--broker: \"1883\" is not an address with a port");
	check_usage(&(struct settings_overrides){.log_level = "loud"},
	    "--log-level: \"loud\" is not a word known here");
	check_usage(&(struct settings_overrides){.state = ""},
	    "--state: the value is empty");
	check_usage(
	    &(struct settings_overrides){.listen = {"x"}, .listen_count = 1},
	    "--listen: \"x\" is not an address with a port");
	check_usage(
	    &(struct settings_overrides){.listen = {"x:1"}, .listen_count = 1},
	    "--listen: `x` is a name, not an address");
}

/* ---- which broker ---- */

static uint32_t
brokers_for(const struct settings *s, const char *host, uint16_t port)
{
	return settings_brokers_for(s, span_of_str(host), port);
}

static void
test_loopback_is_one_host_and_nothing_else_leads_anywhere(void **state)
{
	struct read r;

	read_text(&r, NULL);
	assert_int_equal(brokers_for(&r.s, "localhost", 1883), 1);
	assert_int_equal(brokers_for(&r.s, "LocalHost", 1883), 1);
	assert_int_equal(brokers_for(&r.s, "127.0.0.1", 1883), 1);
	assert_int_equal(brokers_for(&r.s, "::1", 1883), 1);
	assert_int_equal(brokers_for(&r.s, "localhost", 1884), 0);
	assert_int_equal(brokers_for(&r.s, "127.0.0.2", 1883), 0);
	assert_int_equal(brokers_for(&r.s, "", 1883), 0);
	assert_int_equal(brokers_for(&r.s, "localhost.", 1883), 0);
	assert_int_equal(brokers_for(&r.s, "example.com", 1883), 0);
	assert_int_equal(settings_identity_of(&r.s, 0), SETTINGS_USERNAME);
	assert_string_equal(settings_broker_name(&r.s, 0), "private");
	settings_fini(&r.s);
}

static void
test_brokers_are_found_by_the_names_that_they_open_as(void **state)
{
	struct read r;

	read_text(&r, "brokers:\n- {address: A.example:1884, identity: "
		      "username}\n- {address: /run/b, open_as: [localhost:2, "
		      "b:3]}\n");
	assert_string_equal(r.faults, "");
	assert_int_equal(brokers_for(&r.s, "127.0.0.1", 1883), 1);
	assert_int_equal(brokers_for(&r.s, "a.EXAMPLE", 1884), 1);
	assert_int_equal(brokers_for(&r.s, "a.example", 1883), 0);
	assert_int_equal(brokers_for(&r.s, "::1", 2), 2);
	assert_int_equal(brokers_for(&r.s, "b", 3), 2);
	assert_int_equal(settings_identity_of(&r.s, 0), SETTINGS_USERNAME);
	assert_int_equal(settings_identity_of(&r.s, 1), SETTINGS_PASS_THROUGH);
	assert_string_equal(settings_broker_name(&r.s, 1), "/run/b");
	settings_fini(&r.s);
}

static void
test_brokers_that_share_a_name_are_all_meant_by_it(void **state)
{
	struct read r;

	read_text(&r, "brokers:\n- {address: a:1, open_as: [m:1883]}\n"
		      "- {address: b:1, open_as: [other:1883]}\n"
		      "- {address: c:1, open_as: [M:1883, other:1883]}\n");
	assert_string_equal(r.faults, "");
	assert_int_equal(brokers_for(&r.s, "m", 1883), 1 << 0 | 1 << 2);
	assert_int_equal(brokers_for(&r.s, "other", 1883), 1 << 1 | 1 << 2);
	settings_fini(&r.s);
}

static void
test_brokers_are_the_same_where_nothing_about_them_differs(void **state)
{
	static const char base[] = "brokers:\n- {address: a:1, name: n}\n";
	static const char *const others[] = {
	    "brokers:\n- {address: a:2, name: n}\n",
	    "brokers:\n- {address: a:1, name: m}\n",
	    "brokers:\n- {address: a:1, name: n, identity: username}\n",
	    "brokers:\n- {address: a:1, name: n, connect_timeout: 1s}\n",
	    "brokers:\n- {address: a:1, name: n, health_interval: 1s}\n",
	    "brokers:\n- {address: a:1, name: n}\n- {address: b:1}\n",
	    "threads: 1\n",
	};
	struct read a, b;

	read_text(&a, base);
	read_text(&b, "brokers:\n- {address: a:1, name: n}\nthreads: 1\n");
	assert_true(settings_same_brokers(&a.s, &b.s));
	settings_fini(&b.s);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		read_text(&b, others[i]);
		assert_string_equal(b.faults, "");
		assert_false(settings_same_brokers(&a.s, &b.s));
		settings_fini(&b.s);
	}
	settings_fini(&a.s);
}

/* ---- printing ---- */

static void
test_what_is_in_force_reads_back_as_the_same(void **state)
{
	struct buf first, second;
	struct read r, again;

	read_text(&r, "brokers:\n- {address: /run/b, name: n, open_as: "
		      "['[::1]:7', b:8]}\n"
		      "limits: {keepalive_interval: never}\nthreads: 3\n"
		      "host_keys: [/k/a, '/k/b c']\nlisten: ['[::1]:5', 6]\n");
	assert_string_equal(r.faults, "");
	buf_init(&first, 1 << 16);
	buf_init(&second, 1 << 16);
	settings_print(&r.s, CONF_FORM_YAML, &first);
	assert_false(first.failed);
	settings_fini(&r.s);
	/* The table alone reads it: `brokers` beside `private_broker` is what
	 * only a person should not write. */
	memset(&again, 0, sizeof again);
	assert_int_equal(settings_defaults(&again.s, NULL), 0);
	assert_int_equal(
	    conf_load(&again.s.conf, &(struct conf_input){.file = "f",
					 .bytes = buf_span(&first),
					 .keys = settings_keys,
					 .target = &again.s}),
	    0);
	settings_print(&again.s, CONF_FORM_YAML, &second);
	assert_true(span_equal(buf_span(&first), buf_span(&second)));
	assert_int_equal(again.s.threads, 3);
	assert_int_equal(again.s.broker_count, 1);
	assert_int_equal(again.s.brokers[0].open_as[0].port, 7);
	assert_string_equal(again.s.host_keys[1], "/k/b c");
	settings_fini(&again.s);
	buf_fini(&first);
	buf_fini(&second);
}

/* ---- memory ---- */

static size_t calloc_limit = SIZE_MAX; /* calls that still succeed */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *
__wrap_calloc(size_t count, size_t size)
{
	if (calloc_limit == 0)
		return NULL;
	if (calloc_limit != SIZE_MAX)
		calloc_limit--;
	return __real_calloc(count, size);
}

static void
test_every_allocation_may_fail_and_is_told(void **state)
{
	static const char text[] = "private_broker: {extra_lines: [a, b]}\n";
	struct settings_overrides o = {
	    .state = "/s", .broker = "b:1", .listen = {"1"}, .listen_count = 1};
	size_t failing = 0;
	int result;

	do {
		struct err err = ERR_INIT;
		struct settings s;

		calloc_limit = failing++;
		result = settings_defaults(&s, &err);
		if (result == 0)
			result = settings_load(
			    &s, "f", span_of_str(text), NULL, NULL, &err);
		if (result == 0)
			result = settings_override(&s, &o, &err);
		calloc_limit = SIZE_MAX;
		assert_int_equal(err.code, result == 0 ? ERR_NONE : ERR_NOMEM);
		settings_fini(&s);
	} while (result != 0);
	assert_true(failing > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_without_a_file_everything_is_as_the_manual_says),
	    cmocka_unit_test(test_the_state_folder_is_the_users_or_the_systems),
	    cmocka_unit_test(test_every_word_arrives),
	    cmocka_unit_test(test_every_word_of_a_broker_arrives),
	    cmocka_unit_test(
		test_faults_that_no_single_value_shows_are_told_with_their_place),
	    cmocka_unit_test(
		test_a_smaller_total_lowers_the_default_for_one_source),
	    cmocka_unit_test(
		test_a_file_with_faults_is_refused_with_the_first_in_err),
	    cmocka_unit_test(test_the_command_line_goes_before_the_file),
	    cmocka_unit_test(test_a_wrong_command_line_is_wrong_usage),
	    cmocka_unit_test(
		test_loopback_is_one_host_and_nothing_else_leads_anywhere),
	    cmocka_unit_test(
		test_brokers_are_found_by_the_names_that_they_open_as),
	    cmocka_unit_test(
		test_brokers_that_share_a_name_are_all_meant_by_it),
	    cmocka_unit_test(
		test_brokers_are_the_same_where_nothing_about_them_differs),
	    cmocka_unit_test(test_what_is_in_force_reads_back_as_the_same),
	    cmocka_unit_test(test_every_allocation_may_fail_and_is_told),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
