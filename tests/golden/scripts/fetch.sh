# imagebake: network=required
export SOURCE_DATE_EPOCH=1760000000
curl -fsS https://files.example/x
