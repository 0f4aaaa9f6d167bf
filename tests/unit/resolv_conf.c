/* SPDX-License-Identifier: ISC */
/* text/resolv_conf: the servers, domains and options of resolv.conf(5). */
#include "text/resolv_conf.h"

#include "check.h"

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

static void put_number(struct writer *w, const char *name, unsigned value, unsigned usual)
{
	if (value == usual)
		return;
	writer_str(w, name);
	writer_decimal(w, value, 1);
}

/* Writes the servers, the domains after '|', and the options that do not have the default. */
static void put_conf(struct writer *w, const struct resolv_conf *conf)
{
	CHECK(conf->servers_count > 0 && conf->servers_count <= RESOLV_CONF_SERVERS_MAX);
	for (size_t i = 0; i < conf->servers_count; i++) {
		writer_str(w, i > 0 ? " " : "");
		CHECK_NUMBER(conf->servers[i].addr.port, 53);
		addr_put_host(w, &conf->servers[i].addr);
		if (conf->servers[i].scope[0]) {
			writer_u8(w, '%');
			writer_str(w, conf->servers[i].scope);
		}
	}
	writer_str(w, conf->domains_count > 0 ? " |" : "");
	for (size_t i = 0; i < conf->domains_count; i++) {
		writer_u8(w, ' ');
		writer_str(w, resolv_conf_domain(conf, i));
	}
	put_number(w, " ndots ", conf->ndots, 1);
	put_number(w, " timeout ", conf->timeout_s, 5);
	put_number(w, " attempts ", conf->attempts, 2);
	writer_str(w, conf->rotate ? " rotate" : "");
	writer_str(w, conf->use_vc ? " use-vc" : "");
}

static void check_text(const char *text, size_t len, const char *want)
{
	const struct resolv_conf conf = parse(text, len);
	check_about = text;
	CHECK_PUT(want, put_conf, &conf);
}

struct row {
	const char *text, *want;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_text(rows[i].text, strlen(rows[i].text), rows[i].want);
}

static void reads_servers(void)
{
	static const struct row rows[] = {
		{"", "127.0.0.1"},
		{"nameserver 192.0.2.1", "192.0.2.1"},
		{"nameserver 192.0.2.1\n", "192.0.2.1"},
		{"nameserver\t \t192.0.2.1 \t", "192.0.2.1"},
		{"nameserver 192.0.2.1\r\n", "192.0.2.1"},
		{"nameserver 192.0.2.1 192.0.2.2", "192.0.2.1"},
		{"nameserver 192.0.2.1 # comment", "192.0.2.1"},
		{"nameserver 127.0.0.1\nnameserver ::1", "127.0.0.1 ::1"},
		{"nameserver 192.0.2.1\nnameserver 192.0.2.1", "192.0.2.1 192.0.2.1"},
		{"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
		 "nameserver 192.0.2.4",
			"192.0.2.1 192.0.2.2 192.0.2.3"},
		{"nameserver x\nnameserver 192.0.2.1", "192.0.2.1"},
		{"nameserver 0.0.0.0", "0.0.0.0"},
		{"nameserver ::ffff:192.0.2.1", "::ffff:c000:201"},
		{"nameserver 0000:0000:0000:0000:0000:ffff:255.255.255.255", "::ffff:ffff:ffff"},
		{"nameserver 1:2:3:4:5:6:255.255.255.255", "1:2:3:4:5:6:ffff:ffff"},
	};
	static const char *const wrong[] = {"nameserver", "nameserver ", "nameserver\r",
		"nameserver 127.1", "nameserver 0x7f000001", "nameserver 192.0.2.1,192.0.2.2",
		"nameserver 192.0.2.1#53", "nameserver localhost", "nameserver [::1]",
		"nameserver :1", "nameserver192.0.2.1", "nameservers 192.0.2.1",
		"Nameserver 192.0.2.1", " nameserver 192.0.2.1", "#nameserver 192.0.2.1",
		";nameserver 192.0.2.1", "# nameserver 192.0.2.1", "\tnameserver 192.0.2.1",
		"nameserver\r192.0.2.1", "nameserver\v192.0.2.1",
		"nameserver 1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222",
		"nameserver 0000:0000:0000:0000:0000:0000:0255.255.255.255"};

	check_rows(rows, COUNT(rows));
	for (size_t i = 0; i < COUNT(wrong); i++)
		check_text(wrong[i], strlen(wrong[i]), "127.0.0.1");

	/* An address that is 256 bytes too long. */
	static char text[11 + 9 + 256 + 1] = "nameserver 192.0.2.1";
	memset(text + 20, 'x', 256);
	check_text(text, sizeof text - 1, "127.0.0.1");
}

static void reads_scopes(void)
{
	static const struct row rows[] = {
		{"nameserver fe80::1%eth0", "fe80::1%eth0"},
		{"nameserver fe80::1%2", "fe80::1%2"},
		{"nameserver fe80::1%4294967295 x", "fe80::1%4294967295"},
		{"nameserver fe80::1%", "fe80::1"},
		{"nameserver fe80::1%a%b", "fe80::1%a%b"},
		{"nameserver fe80::1%abcdefghijklmno", "fe80::1%abcdefghijklmno"},
		{"nameserver fe80::1%abcdefghijklmnop", "fe80::1"},
		{"nameserver %eth0", "127.0.0.1"},
		{"nameserver 192.0.2.1%eth0", "127.0.0.1"},
	};

	check_rows(rows, COUNT(rows));
}

static void reads_domains(void)
{
	static const struct row rows[] = {
		{"search example.com", "127.0.0.1 | example.com"},
		{"search\ta.example  b.example\t c ", "127.0.0.1 | a.example b.example c"},
		{"search a b\r", "127.0.0.1 | a b"},
		{"search a\nsearch b c", "127.0.0.1 | b c"},
		{"search a\nsearch", "127.0.0.1 | a"},
		{"search a\nsearch  \t", "127.0.0.1 | a"},
		{"search .", "127.0.0.1 | ."},
		{"search a. .", "127.0.0.1 | a. ."},
		{"domain a", "127.0.0.1 | a"},
		{"domain a b", "127.0.0.1 | a"},
		{"domain a\nsearch b c", "127.0.0.1 | b c"},
		{"search b c\ndomain a", "127.0.0.1 | a"},
		{"domain a\ndomain", "127.0.0.1 | a"},
		{"search a # b", "127.0.0.1 | a # b"},
		{"searching a", "127.0.0.1"},
		{" search a", "127.0.0.1"},
	};

	check_rows(rows, COUNT(rows));
}

static void limits_domains(void)
{
	char text[2048] = "search", domain[8];

	for (unsigned i = 1; i <= RESOLV_CONF_DOMAINS_MAX + 1; i++) {
		snprintf(domain, sizeof domain, " d%u", i);
		strcat(text, domain);
		const struct resolv_conf conf = parse(text, strlen(text));
		const unsigned want = i < RESOLV_CONF_DOMAINS_MAX ? i : RESOLV_CONF_DOMAINS_MAX;
		CHECK_NUMBER(conf.domains_count, want);
		CHECK_NUMBER(strtoul(resolv_conf_domain(&conf, want - 1) + 1, NULL, 10), want);
	}

	/* Each domain needs a byte for its NUL. The second one fits up to 1,020 bytes. */
	for (unsigned len = 1015; len < 1030; len++) {
		struct writer w = writer_on(text, sizeof text);
		writer_str(&w, "search ab ");
		memset(text + w.len, 'x', len);
		w.len += len;
		writer_str(&w, " c");
		const struct resolv_conf conf = parse(text, w.len);
		CHECK_NUMBER(conf.domains_count,
			len + 6 <= RESOLV_CONF_SEARCH_MAX           ? 3
				: len + 4 <= RESOLV_CONF_SEARCH_MAX ? 2
								    : 1);
		CHECK_STRING(resolv_conf_domain(&conf, 0), "ab");
	}
}

static void reads_options(void)
{
	static const struct row rows[] = {
		{"options ndots:0", "127.0.0.1 ndots 0"},
		{"options ndots:15", "127.0.0.1 ndots 15"},
		{"options ndots:16", "127.0.0.1 ndots 15"},
		{"options timeout:0", "127.0.0.1 timeout 1"},
		{"options timeout:1", "127.0.0.1 timeout 1"},
		{"options timeout:30", "127.0.0.1 timeout 30"},
		{"options timeout:31", "127.0.0.1 timeout 30"},
		{"options attempts:0", "127.0.0.1 attempts 1"},
		{"options attempts:1", "127.0.0.1 attempts 1"},
		{"options attempts:5", "127.0.0.1 attempts 5"},
		{"options attempts:6", "127.0.0.1 attempts 5"},
		{"options timeout:99999999999999999999999", "127.0.0.1 timeout 30"},
		{"options ndots:003", "127.0.0.1 ndots 3"},
		{"options rotate\tuse-vc ", "127.0.0.1 rotate use-vc"},
		{"options rotate\noptions ndots:2\r\noptions edns0 trust-ad",
			"127.0.0.1 ndots 2 rotate"},
		{"options ndots:2 ndots:3", "127.0.0.1 ndots 3"},
	};
	static const char *const ignored[] = {"options", "options ", "options ndots",
		"options :", "options ndots:", "options ndots:-1", "options ndots:x",
		"options ndots:3x", "options ndots: 3", "options timeout:+3", "options rotated",
		"options rotat", "options use_vc", "options Rotate", "options no-aaaa edns0",
		"option rotate", " options rotate", "#options rotate", "options#rotate",
		"sortlist 192.0.2.0", "rotate", ":", ""};

	check_rows(rows, COUNT(rows));
	for (size_t i = 0; i < COUNT(ignored); i++)
		check_text(ignored[i], strlen(ignored[i]), "127.0.0.1");
}

static void reads_a_line_to_its_nul(void)
{
	check_text("nameserver 192.0.2.1\0x\nsearch a\0b\n\0nameserver ::1", 49, "192.0.2.1 | a");
	check_text("nameserver\0 192.0.2.1", 21, "127.0.0.1");
}

int main(void)
{
	return CHECK_ALL(reads_servers, reads_scopes, reads_domains, limits_domains, reads_options,
		reads_a_line_to_its_nul);
}
