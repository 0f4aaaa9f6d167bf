/* SPDX-License-Identifier: ISC */
/* Fuzzes text/resolv_conf with the text of a file: checks the ranges of all values, and that a file
 * which is written from the values has the same values. */
#include "text/resolv_conf.h"

#include "fuzz.h"

static struct resolv_conf parse(const char *text, size_t len)
{
	struct resolv_conf conf = resolv_conf_default();
	const char *end = text + len;

	while (text < end) {
		const struct words_line line = fuzz_take_line(&text, end, 1);
		uint8_t *copy = fuzz_copy(line.text, line.len);
		resolv_conf_line(&conf, (const char *)copy, line.len);
		free(copy);
	}
	return conf;
}

static void check_servers(const struct resolv_conf *conf)
{
	INVARIANT(conf->servers_count > 0 && conf->servers_count <= RESOLV_CONF_SERVERS_MAX);
	for (size_t i = 0; i < conf->servers_count; i++) {
		const struct resolv_conf_server *server = &conf->servers[i];
		INVARIANT(server->addr.kind == ADDR_IPV4 || server->addr.kind == ADDR_IPV6);
		INVARIANT(server->addr.port == 53);
		INVARIANT(memchr(server->scope, '\0', sizeof server->scope));
		INVARIANT(server->scope[0] == '\0' || server->addr.kind == ADDR_IPV6);
		INVARIANT(!strpbrk(server->scope, " \t\n"));
	}
	if (conf->is_default_server)
		INVARIANT(conf->servers_count == 1 &&
			addr_is_same_host(&conf->servers[0].addr, &addr_loopback));
}

static void check_domains(const struct resolv_conf *conf)
{
	size_t len = 0;

	INVARIANT(conf->domains_count <= RESOLV_CONF_DOMAINS_MAX);
	INVARIANT(conf->search_len <= RESOLV_CONF_SEARCH_MAX);
	for (size_t i = 0; i < conf->domains_count; i++) {
		const char *domain = resolv_conf_domain(conf, i);
		INVARIANT(domain == conf->search + len);
		INVARIANT(domain[0] != '\0' && !strpbrk(domain, " \t\n"));
		len += strlen(domain) + 1;
	}
	INVARIANT(len == conf->search_len);
}

static void check_options(const struct resolv_conf *conf)
{
	INVARIANT(conf->ndots <= RESOLV_CONF_NDOTS_MAX);
	INVARIANT(conf->timeout_s > 0 && conf->timeout_s <= RESOLV_CONF_TIMEOUT_S_MAX);
	INVARIANT(conf->attempts > 0 && conf->attempts <= RESOLV_CONF_ATTEMPTS_MAX);
}

static void put_option(struct writer *w, const char *name, unsigned value)
{
	writer_str(w, name);
	writer_decimal(w, value, 1);
}

/* Writes a file. A carriage return at the end of a domain needs a space behind it. */
static void put_file(struct writer *w, const struct resolv_conf *conf)
{
	for (size_t i = 0; i < conf->servers_count && !conf->is_default_server; i++) {
		writer_str(w, "nameserver ");
		addr_put_host(w, &conf->servers[i].addr);
		writer_str(w, conf->servers[i].scope[0] ? "%" : "");
		writer_str(w, conf->servers[i].scope);
		writer_str(w, " \n");
	}
	writer_str(w, "search ");
	for (size_t i = 0; i < conf->domains_count; i++) {
		writer_str(w, resolv_conf_domain(conf, i));
		writer_u8(w, ' ');
	}
	put_option(w, "\noptions ndots:", conf->ndots);
	put_option(w, " timeout:", conf->timeout_s);
	put_option(w, " attempts:", conf->attempts);
	writer_str(w, conf->rotate ? " rotate" : "");
	writer_str(w, conf->use_vc ? " use-vc" : "");
}

static void check_same(const struct resolv_conf *a, const struct resolv_conf *b)
{
	INVARIANT(a->servers_count == b->servers_count);
	INVARIANT(a->is_default_server == b->is_default_server);
	for (size_t i = 0; i < a->servers_count; i++) {
		INVARIANT(addr_is_same_host(&a->servers[i].addr, &b->servers[i].addr));
		INVARIANT(strcmp(a->servers[i].scope, b->servers[i].scope) == 0);
	}
	INVARIANT(a->domains_count == b->domains_count);
	INVARIANT(fuzz_same(a->search, a->search_len, b->search, b->search_len));
	INVARIANT(a->ndots == b->ndots && a->timeout_s == b->timeout_s);
	INVARIANT(a->attempts == b->attempts && a->rotate == b->rotate);
	INVARIANT(a->use_vc == b->use_vc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[2 * RESOLV_CONF_SEARCH_MAX];
	struct writer w = writer_on(text, sizeof text);
	const struct resolv_conf conf = parse((const char *)data, size);

	check_servers(&conf);
	check_domains(&conf);
	check_options(&conf);
	put_file(&w, &conf);
	INVARIANT(!w.full);
	const struct resolv_conf again = parse(text, w.len);
	check_same(&conf, &again);
	return 0;
}
