/*
 * Any bytes as what other programs print: ssh -vv, ssh -G, /proc's tables, a
 * mosquitto.conf, iptables-save, nft -j.
 */

#include "firewall_rules.h"
#include "mosquitto_conf.h"
#include "server_system.h"
#include "ssh_login.h"
#include "ssh_settings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static void
read_rules(struct span text)
{
	json_error_t error;
	json_t *rules =
	    json_loadb((const char *)text.data, text.len, 0, &error);
	const struct firewall_connection in = {
	    .family = FIREWALL_IPV6, .port = 1883};
	struct firewall_connection out = {
	    .direction = FIREWALL_OUT, .port = 22, .interface = "eth0"};
	struct firewall_place place;

	MUST(netaddr_parse(span_of_str("192.0.2.7"), &out.to));
	firewall_judge_nft(rules, FIREWALL_OWN_TABLES, &in, NULL);
	firewall_judge_nft(rules, FIREWALL_ALL_TABLES, &out, &place);
	json_decref(rules);
	firewall_judge_iptables(text, &in, NULL);
	firewall_judge_iptables(text, &out, &place);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ssh_settings settings;
	static struct mosquitto_conf conf;
	static struct ssh_login login;
	static struct system machine;
	struct span text = span_of(data, size);
	char path[256];

	ssh_login_read(&login, text);
	MUST(login.offered_count <= SSH_LOGIN_KEYS_MAX);
	MUST(ssh_settings_parse(&settings, text) == 0);
	ssh_settings_fini(&settings);
	mosquitto_conf_init(&conf);
	mosquitto_conf_parse(&conf, text, "FILE");
	MUST(conf.listener_count <= MOSQUITTO_LISTENERS_MAX);
	memset(&machine, 0, sizeof machine);
	system_read_table(&machine, text, size % 2 == 0);
	MUST(machine.listener_count <= SYSTEM_LISTENERS_MAX);
	system_path_of(text, "-c", "/", path, sizeof path);
	system_path_of(text, "--state", "/", path, sizeof path);
	read_rules(text);
	return 0;
}
