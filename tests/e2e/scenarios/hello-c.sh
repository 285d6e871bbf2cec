# No apt update, a typo, a clean-up.
cd "$C/srv/app"
d 127 tcc -v
d 100 apt-get install -y tcc make
d 0 apt-get update
d 0 apt-get install -y tcc make
printf '#include <stdio.h>\nint main(void) { puts("hello") return 0; }\n' >main.c
printf 'hello: main.c\n\ttcc -o hello main.c\ninstall: hello\n\tinstall -D hello /usr/local/bin/hello\nclean:\n\trm -f hello\n' >Makefile
d 2 make
sed -i 's/"hello")/"hello");/' main.c
d 0 make
d 0 ./hello
d 0 ls -la
d 0 make install
d 0 make clean
