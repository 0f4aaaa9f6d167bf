#include "stdsocksctl/table.h"
#include <stddef.h>
int main(int argc, char **argv){ (void)argv;
 static const struct table_column c[]={{"NAME",0},{"COUNT",1},{"NOTE",0}};
 struct table t={.columns=c,.count=3};
 if(argc<2){ table_add(&t,(const char*const[]){"a","1","text"}); table_add(&t,(const char*const[]){"a long \\x1b name with blanks","12345",""});}
 table_print(&t,stdout); table_clear(&t);}
