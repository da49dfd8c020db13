# Authenticode signatures from a public key infrastructure that is made during the build.
#
# These are test keys and protect nothing: each private key follows from a seed that stands here (FIPS 186-4 provable
# primes), so that every build folder makes the same keys, certificates and signatures, and the repository holds no
# key. Signatures are RSA PKCS#1 v1.5 with SHA-256, page hashes and a fixed signing time.
#
#   guest_sign(<target> <file> <identity>|none)
#       <build>/unsigned/<file> to <build>/images/<file>
#
# Three roots, each with one intermediate:
#   production   the root that the simulated Windows trusts
#   test         trusted only with test signing on
#   foreign      trusted by nobody
# Identities, as (root, extended key usages besides codeSigning):
#   windows      production, Windows System Component Verification
#   ium          production, Windows System Component Verification and Isolated User Mode
#   test_ium     test, both
#   foreign_ium  foreign, both
#   wrong_eku    production, none
# The root certificates are <build>/pki/<root>.root.der, and byte arrays in <build>/pki/pki_roots.h, which a target
# sees that links guest_pki_roots.

find_program(CERTTOOL certtool REQUIRED)
find_program(OSSLSIGNCODE osslsigncode PATHS ${AIRLOCK_OSSLSIGNCODE_DIR}/bin NO_DEFAULT_PATH REQUIRED)
set(PKI ${CMAKE_BINARY_DIR}/pki)
set(pki_validity "activation_date = \"2024-01-01 00:00:00 UTC\"\nexpiration_date = \"2049-01-01 00:00:00 UTC\"\n")
set(pki_signing_time 1704067200)  # 2024-01-01 00:00:00 UTC
set(eku_system_component 1.3.6.1.4.1.311.10.3.6)
set(eku_isolated_user_mode 1.3.6.1.4.1.311.10.3.37)
set(pki_serial 0)

# pki_certificate(<name> <common name> BY <name>|self TRAITS <certtool template lines>...)
macro(pki_certificate name common_name)
  cmake_parse_arguments(C "" "BY" "TRAITS" ${ARGN})
  math(EXPR pki_serial "${pki_serial} + 1")
  list(JOIN C_TRAITS "\n" traits)
  file(CONFIGURE OUTPUT ${PKI}/${name}.template CONTENT
    "cn = \"${common_name}\"\norganization = \"Airlock test keys\"\nserial = ${pki_serial}\n${traits}\n${pki_validity}")
  string(SHA224 seed "Airlock test key: ${name}")  # 224 bits is what FIPS 186-4 asks for RSA-2048
  add_custom_command(OUTPUT ${PKI}/${name}.key
    COMMAND ${ROOT}/tools/quietly ${CERTTOOL} --generate-privkey --key-type=rsa --bits=2048 --provable --seed=${seed} --no-text
      --outfile ${PKI}/${name}.key
    COMMENT "Making the test key ${name}" VERBATIM)
  if(C_BY STREQUAL self)
    set(issue --generate-self-signed)
    set(issuer)
  else()
    set(issue --generate-certificate --load-ca-certificate ${PKI}/${C_BY}.pem --load-ca-privkey ${PKI}/${C_BY}.key)
    set(issuer ${PKI}/${C_BY}.key ${PKI}/${C_BY}.pem)
  endif()
  add_custom_command(OUTPUT ${PKI}/${name}.pem
    DEPENDS ${PKI}/${name}.key ${PKI}/${name}.template ${issuer}
    COMMAND ${ROOT}/tools/quietly ${CERTTOOL} ${issue} --load-privkey ${PKI}/${name}.key --template ${PKI}/${name}.template --hash SHA256
      --no-text --outfile ${PKI}/${name}.pem
    COMMENT "Making the certificate ${name}" VERBATIM)
  set_property(GLOBAL APPEND PROPERTY PKI_FILES ${PKI}/${name}.key ${PKI}/${name}.pem)
endmacro()

set(pki_der)
foreach(root Production Test Foreign)
  string(TOLOWER ${root} name)
  pki_certificate(${name}.root "Airlock ${root} Root" BY self TRAITS ca cert_signing_key)
  pki_certificate(${name}.pca "Airlock ${root} PCA" BY ${name}.root TRAITS ca "path_len = 0" cert_signing_key)
  add_custom_command(OUTPUT ${PKI}/${name}.root.der DEPENDS ${PKI}/${name}.root.pem
    COMMAND ${ROOT}/tools/quietly ${CERTTOOL} --certificate-info --infile ${PKI}/${name}.root.pem --outder --no-text
      --outfile ${PKI}/${name}.root.der VERBATIM)
  list(APPEND pki_der ${PKI}/${name}.root.der)
endforeach()

# pki_identity(<name> <root> <common name> <extended key usage>...)
function(pki_identity name root common_name)
  list(TRANSFORM ARGN PREPEND "key_purpose_oid = " OUTPUT_VARIABLE usages)
  pki_certificate(${name} ${common_name} BY ${root}.pca TRAITS signing_key code_signing_key ${usages})
  set(pki_serial ${pki_serial} PARENT_SCOPE)
  set_property(GLOBAL PROPERTY PKI_ROOT_OF_${name} ${root})
endfunction()
pki_identity(windows production "Airlock Windows" ${eku_system_component})
pki_identity(ium production "Airlock Isolated User Mode" ${eku_system_component} ${eku_isolated_user_mode})
pki_identity(test_ium test "Airlock Test Isolated User Mode" ${eku_system_component} ${eku_isolated_user_mode})
pki_identity(foreign_ium foreign "Foreign Isolated User Mode" ${eku_system_component} ${eku_isolated_user_mode})
pki_identity(wrong_eku production "Airlock Code Signing Only")

add_custom_command(OUTPUT ${PKI}/pki_roots.h
  DEPENDS ${pki_der} ${CMAKE_CURRENT_LIST_DIR}/write_pki_roots.cmake
  COMMAND ${CMAKE_COMMAND} -DPKI=${PKI} -P ${CMAKE_CURRENT_LIST_DIR}/write_pki_roots.cmake VERBATIM)
# Folders name the files of this one, so that its rules must belong to a target.
get_property(pki_files GLOBAL PROPERTY PKI_FILES)
add_custom_target(pki DEPENDS ${pki_files} ${PKI}/pki_roots.h)
add_library(guest_pki_roots INTERFACE)
target_include_directories(guest_pki_roots INTERFACE ${PKI})
add_dependencies(guest_pki_roots pki)

function(guest_sign target file identity)
  set(in ${CMAKE_BINARY_DIR}/unsigned/${file})
  set(out ${CMAKE_BINARY_DIR}/images/${file})
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/images)
  if(identity STREQUAL none)
    add_custom_command(OUTPUT ${out} DEPENDS ${target} ${in}
      COMMAND ${CMAKE_COMMAND} -E copy ${in} ${out} VERBATIM)
  else()
    get_property(root GLOBAL PROPERTY PKI_ROOT_OF_${identity})
    if(NOT root)
      message(FATAL_ERROR "${file}: there is no signing identity '${identity}' in cmake/guest_signing.cmake")
    endif()
    add_custom_command(OUTPUT ${out}
      DEPENDS ${target} ${in} pki ${PKI}/${identity}.key ${PKI}/${identity}.pem ${PKI}/${root}.pca.pem
      COMMAND ${CMAKE_COMMAND} -E rm -f ${out}
      COMMAND ${ROOT}/tools/quietly ${OSSLSIGNCODE} sign -h sha256 -ph -certs ${PKI}/${identity}.pem -ac ${PKI}/${root}.pca.pem
        -key ${PKI}/${identity}.key -time ${pki_signing_time} -in ${in} -out ${out}
      COMMENT "Signing ${file} as ${identity}" VERBATIM)
  endif()
  add_custom_target(${target}_signed ALL DEPENDS ${out})
  set_property(GLOBAL APPEND PROPERTY GUEST_FILES ${file})
  set_property(GLOBAL PROPERTY GUEST_TARGET_OF_${file} ${target}_signed)
endfunction()
