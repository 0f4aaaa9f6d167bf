/* SPDX-License-Identifier: ISC */
/* stdsocksctl/column: a text of a client is one word, and quoted unless it is plain. */
#include "stdsocksctl/column.h"

#include "check.h"

static void writes_names(void)
{
	CHECK_PUT("", column_put_name, "");
	CHECK_PUT("alice.b-c_d@example", column_put_name, "alice.b-c_d@example");
	CHECK_PUT("\"a\\x20b\"", column_put_name, "a b");
	CHECK_PUT("\"all\\x20others\"", column_put_name, "all others");
	CHECK_PUT("\"caf\\xc3\\xa9\"", column_put_name, "caf\\xc3\\xa9");
	CHECK_PUT("\"::1\"", column_put_name, "::1");
	CHECK_PUT("a\\x20b", column_put, "a b");
}

static void writes_destinations(void)
{
	CHECK_PUT("", column_put_destination, "", -1);
	CHECK_PUT("", column_put_destination, "", 80);
	CHECK_PUT("192.0.2.1:80", column_put_destination, "192.0.2.1", 80);
	CHECK_PUT("[2001:db8::1]:0", column_put_destination, "2001:db8::1", 0);
	CHECK_PUT("2001:db8::1", column_put_destination, "2001:db8::1", -1);
	CHECK_PUT("example.com:65535", column_put_destination, "example.com", 65535);
	CHECK_PUT("\"a:1\\x20b\":2", column_put_destination, "a:1 b", 2);
	CHECK_PUT("\"a:1\"", column_put_destination, "a:1", -1);
}

int main(void)
{
	return CHECK_ALL(writes_names, writes_destinations);
}
