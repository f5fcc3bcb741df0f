BoutJÞ‹@DsÀCo @Œ§B@+ýh¿6ž
@