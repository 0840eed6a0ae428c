# What `cmake --install` puts where, and the Debian package made of it: `make package`.
#
# One package: program, units, user, settings as a conffile, manual page, documents. It neither enables nor starts the
# service: without an upstream there is nothing to serve.
include(GNUInstallDirs)
set(deb ${CMAKE_SOURCE_DIR}/packaging/debian)
set(docs ${CMAKE_INSTALL_DATAROOTDIR}/doc/mongocached)
set(made ${CMAKE_BINARY_DIR}/package_files)

install(TARGETS mongocached RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES systemd/mongocached.service systemd/mongocached.socket systemd/mongocached-http.socket
  DESTINATION lib/systemd/system)
install(FILES systemd/mongocached.sysusers DESTINATION lib/sysusers.d RENAME mongocached.conf)
# Absolute: /etc, wherever the programs go.
install(FILES config/mongocached.toml DESTINATION /etc/mongocached)
install(FILES README.md DESTINATION ${docs})
# All of them, and beside the README as here: they link to one another.
install(DIRECTORY docs DESTINATION ${docs} FILES_MATCHING PATTERN "*.md")
install(FILES ${deb}/copyright DESTINATION ${docs})
install(FILES systemd/examples/secrets.conf systemd/examples/network.conf DESTINATION ${docs}/examples/systemd)
install(FILES docker/grafana/dashboards/mongocached.json docker/prometheus/mongocached.rules.yml
  DESTINATION ${docs}/examples/monitoring)

# Debian wants these compressed, without a time stamp inside.
string(TIMESTAMP MONGOCACHED_PACKAGE_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${deb}/changelog.in ${made}/changelog.Debian @ONLY)
set(compressed)
function(compress source name)
  add_custom_command(OUTPUT ${made}/${name}.gz
    COMMAND gzip -9nc ${source} > ${made}/${name}.gz DEPENDS ${source} VERBATIM)
  set(compressed ${compressed} ${made}/${name}.gz PARENT_SCOPE)
endfunction()
compress(${CMAKE_SOURCE_DIR}/docs/mongocached.1 mongocached.1)
compress(${CMAKE_SOURCE_DIR}/CHANGELOG.md changelog)
compress(${made}/changelog.Debian changelog.Debian)
add_custom_target(package_files ALL DEPENDS ${compressed})
install(FILES ${made}/mongocached.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${made}/changelog.gz ${made}/changelog.Debian.gz DESTINATION ${docs})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mongocached)
set(CPACK_PACKAGE_CONTACT "mongocached developers <maintainers@mongocached.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "caching proxy that speaks the MongoDB wire protocol")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Answers finds by _id and top-N queries from its memory or from Redis, and
relays everything else byte for byte. Writes drop what they may have changed
before they are acknowledged; the change stream of the cluster tells of all
others. Clients are not changed: they take it for a mongos.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# systemd-sysusers makes the user; systemd itself need not run.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-server, prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${deb}/conffiles ${deb}/postinst ${deb}/prerm ${deb}/postrm)
include(CPack)
