# The floor of a changed variable: write the file, restart, see that the services
# answer. bench sets $greeting before it.
set -eu
printf 'GREETING=%s\nDATA_DIR=/srv/app/data\n' "$greeting" >/srv/app/.env.dev
systemctl restart shop-backend shop-frontend
for url in http://localhost:3001/healthz http://localhost:3000/; do
	until curl -sf -o /dev/null "$url"; do sleep 0.05; done
done
(cd / && xargs sha256sum </root/floor/paths >/root/floor/files.sha256)
