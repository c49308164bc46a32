# The floor of a switch to a release: a link and a restart. The ports are closed while
# the services start.
ln -sfn "releases/$sha" /srv/app/current.new
mv -T /srv/app/current.new /srv/app/current
systemctl restart shop-backend shop-frontend
for url in http://localhost:3001/healthz http://localhost:3000/; do
	until curl -sf -o /dev/null "$url"; do sleep 0.05; done
done
