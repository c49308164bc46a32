# The floor of a switch that serves all the time: each service starts beside the one
# that serves, on another port, and has to be healthy there before that is restarted.
# (Who sends the connections there in the meantime is left out.)
healthy() {
	until curl -sf -o /dev/null "$1"; do sleep 0.05; done
}
for service in backend:3001:23001:/healthz frontend:3000:23000:/; do
	name=${service%%:*}
	spare=$(echo "$service" | cut -d : -f 3)
	sed -e "s|/srv/app/current|$release|" -e "s|^Environment=PORT=.*|Environment=PORT=$spare|" "/etc/systemd/system/shop-$name.service" >"/run/systemd/system/next-$name.service"
done
systemctl daemon-reload
systemctl start next-backend next-frontend
healthy http://localhost:23001/healthz
healthy http://localhost:23000/
ln -sfn "releases/$sha" /srv/app/current.new
mv -T /srv/app/current.new /srv/app/current
systemctl restart shop-backend
healthy http://localhost:3001/healthz
systemctl restart shop-frontend
healthy http://localhost:3000/
systemctl stop next-backend next-frontend
rm /run/systemd/system/next-backend.service /run/systemd/system/next-frontend.service
systemctl daemon-reload
