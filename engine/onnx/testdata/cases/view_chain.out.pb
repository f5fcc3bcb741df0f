BoutJ«B3BêPÁB_i
A7C ¢îÀú8<Ã