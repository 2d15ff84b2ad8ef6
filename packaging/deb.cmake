# What a Debian package has besides the installed files, and its control data. Included with -DZSLICE_PACKAGE=ON,
# which scripts/package.sh sets; the prefix must be /usr then.

find_program(GZIP gzip REQUIRED)

# Debian wants these compressed, and without a time stamp in them.
function(install_compressed source name folder)
    add_custom_command(OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}
        COMMAND ${GZIP} --best --no-name --stdout ${CMAKE_CURRENT_SOURCE_DIR}/${source} > ${CMAKE_CURRENT_BINARY_DIR}/${name}
        DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source} VERBATIM)
    add_custom_target(package_${name} ALL DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/${name})
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name} DESTINATION ${folder})
endfunction()

install_compressed(man/zslice.1 zslice.1.gz ${CMAKE_INSTALL_MANDIR}/man1)
install_compressed(man/zdd.1 zdd.1.gz ${CMAKE_INSTALL_MANDIR}/man1)
install_compressed(packaging/changelog changelog.gz ${CMAKE_INSTALL_DATADIR}/doc/zslice)
install(FILES packaging/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/zslice)

set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The zslice founders <zslice@users.noreply.github.com>")
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Loaded only when a digest is asked for.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libssl3 | libssl3t64, libxxhash0")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "zslice takes a slice of a file, device or stream by byte positions and puts it
into a file, pipe, socket or device, faster than dd, tail, head, cat or split
do, and never loses a byte in silence: targets are replaced at one instant if
wanted, interrupted copies resumed, results verified.")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
