# mbedTLS for guests: the static library guest_mbedtls. Its configuration is images/cng/guest_mbedtls_config.h; the image
# that links it supplies cng_calloc, cng_free, cng_snprintf, mbedtls_platform_zeroize and mbedtls_zeroize_and_free.
if(NOT EXISTS ${AIRLOCK_MBEDTLS_DIR}/library/sha256.c)
  message(FATAL_ERROR "The source of mbedTLS is missing in ${AIRLOCK_MBEDTLS_DIR}. Run tools/setup.")
endif()
# Copied, because the PDB records the paths of objects, which would otherwise contain that of the cache.
set(MBEDTLS ${CMAKE_BINARY_DIR}/mbedtls)
file(COPY ${AIRLOCK_MBEDTLS_DIR}/library ${AIRLOCK_MBEDTLS_DIR}/include DESTINATION ${MBEDTLS}
  FILES_MATCHING PATTERN "*.c" PATTERN "*.h")
set(guest_mbedtls_sources
  aes asn1parse asn1write bignum bignum_core bignum_mod bignum_mod_raw block_cipher cipher cipher_wrap constant_time
  ctr_drbg ecdh ecdsa ecp ecp_curves ecp_curves_new gcm hkdf md oid pk pk_ecc pk_wrap pkparse platform rsa
  rsa_alt_helpers sha1 sha256 sha512 x509 x509_crl x509_crt)
list(TRANSFORM guest_mbedtls_sources REPLACE "(.+)" "${MBEDTLS}/library/\\1.c")

# Kept out of other authors' include paths: who needs it says LIBS guest_mbedtls.
add_library(guest_mbedtls STATIC EXCLUDE_FROM_ALL ${guest_mbedtls_sources})
target_link_libraries(guest_mbedtls PRIVATE guest_objects)
target_include_directories(guest_mbedtls SYSTEM PUBLIC ${MBEDTLS}/include PRIVATE ${MBEDTLS}/library)
target_include_directories(guest_mbedtls PUBLIC ${ROOT}/images/cng)
target_compile_definitions(guest_mbedtls PUBLIC "MBEDTLS_CONFIG_FILE=<guest_mbedtls_config.h>")
# Not Microsoft's compiler but GCC, as far as mbedTLS is concerned: 64-bit limbs and inline assembly in the bignums.
target_compile_options(guest_mbedtls PRIVATE -U_MSC_VER -fgnuc-version=4.2.1 -w)
