# Builds oniguruma for a 64-bit Linux system. What is particular to a release is read from the release itself: the list
# of source files (src/Makefile.am) and the version of the library's interface (configure.ac, libtool's three numbers).

interface := $(subst :, ,$(shell sed -n 's/^LTVERSION="\([0-9:]*\)"/\1/p' configure.ac))
current   := $(word 1,$(interface))
revision  := $(word 2,$(interface))
age       := $(word 3,$(interface))
major     := $(shell expr $(current) - $(age))
soname    := libonig.so.$(major)
library   := $(soname).$(age).$(revision)
version   := $(shell sed -n 's/^AC_INIT(onig, *\([0-9.]*\))/\1/p' configure.ac)

sources   := $(shell sed -n '/^libonig_la_SOURCES/,/[^\\]$$/p' src/Makefile.am | grep -o '[a-z0-9_]*\.c')
objects   := $(sources:%.c=objects/%.o)
pic       := $(sources:%.c=objects/%.lo)
flags     := -O2 -DHAVE_CONFIG_H -Iobjects -Isrc

ifeq ($(words $(interface)),3)
all: objects/$(library) objects/libonig.a objects/oniguruma.pc
else
all:
	$(error configure.ac has no LTVERSION of three numbers)
endif

objects/config.h:
	mkdir -p objects
	printf '#define %s\n' \
	  'HAVE_ALLOCA 1' 'HAVE_ALLOCA_H 1' 'HAVE_INTTYPES_H 1' 'HAVE_STDINT_H 1' 'HAVE_SYS_TIMES_H 1' \
	  'HAVE_SYS_TIME_H 1' 'HAVE_SYS_TYPES_H 1' 'HAVE_UNISTD_H 1' 'STDC_HEADERS 1' \
	  'SIZEOF_INT __SIZEOF_INT__' 'SIZEOF_LONG __SIZEOF_LONG__' 'SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__' \
	  'SIZEOF_VOIDP __SIZEOF_POINTER__' 'PACKAGE "onig"' 'VERSION "$(version)"' > $@

objects/%.o: src/%.c objects/config.h
	$(CC) $(flags) -c -o $@ $<

objects/%.lo: src/%.c objects/config.h
	$(CC) $(flags) -fPIC -c -o $@ $<

objects/$(library): $(pic)
	$(CC) -shared -Wl,-soname,$(soname) -o $@ $(pic)

objects/libonig.a: $(objects)
	$(AR) rcD $@ $(objects)

objects/oniguruma.pc: objects/config.h
	printf '%s\n' 'prefix=/usr' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: oniguruma' \
	  'Description: Regular expression library' 'Version: $(version)' 'Libs: -L$${libdir} -lonig' \
	  'Cflags: -I$${includedir}' > $@

install: all
	install -d $(DESTDIR)/usr/lib/pkgconfig $(DESTDIR)/usr/include
	install -m 0755 objects/$(library) $(DESTDIR)/usr/lib/
	ln -sf $(library) $(DESTDIR)/usr/lib/$(soname)
	ln -sf $(library) $(DESTDIR)/usr/lib/libonig.so
	install -m 0644 objects/libonig.a $(DESTDIR)/usr/lib/
	install -m 0644 objects/oniguruma.pc $(DESTDIR)/usr/lib/pkgconfig/
	install -m 0644 src/oniguruma.h src/oniggnu.h $(DESTDIR)/usr/include/

.PHONY: all install
