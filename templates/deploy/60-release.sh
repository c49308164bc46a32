
# --- releases

# release_of LINK prints the release that current or previous leads to.
release_of() {
	release_link=$(readlink "$app/$1" 2>/dev/null) || return 0
	echo "${release_link##*/}"
}

# mark RELEASE KIND [TEXT] makes a marker appear at once and on disk.
mark() {
	printf '%s\n' "${3:-}" >"$app/releases/.marker"
	sync "$app/releases/.marker"
	mv -f "$app/releases/.marker" "$app/releases/$1.$2"
}

marked() { [ -e "$app/releases/$1.$2" ]; }

# complete_release marks the release that was built complete when it is on disk.
complete_release() {
	[ -n "$syncing" ] || return 0
	wait "$syncing" || die 1 "cannot write $release to disk"
	syncing=''
	mark "$sha" ready "$built"
}

# newest_build prints the newest kept release of a commit, or the commit.
newest_build() {
	# shellcheck disable=SC2012 # the names are ours
	newest=$(ls -1t "$app/releases" | sed -n "s/^\($1\(-b[0-9a-f]\{8\}\)\{0,1\}\)\.ready\$/\1/p" | head -n 1)
	echo "${newest:-$1}"
}

# switch_link NAME RELEASE points a link at a release, atomically; sync "$app" makes
# that last.
switch_link() {
	rm -f "$app/.$1.new"
	ln -s "releases/$2" "$app/.$1.new"
	mv -T "$app/.$1.new" "$app/$1"
}

# link_services keeps /srv/app/backend leading into the release that serves.
link_services() {
	for name in $services; do
		service "$name"
		case $dir in
		. | */* | current | previous | releases | shared) continue ;;
		esac
		if [ -L "$app/$dir" ] || [ ! -e "$app/$dir" ]; then
			ln -sfn "current/$dir" "$app/$dir"
		else
			say "warning: $app/$dir is not from appstack and stays as it is"
		fi
	done
}

# activate makes $sha the release that serves. It returns 6 when $sha was never
# switched to, 7 when it was and did not work; then the old one serves again.
activate() {
	serving=$(release_of current)
	candidates=''
	if [ -n "$serving" ] && [ -z "$offline" ]; then
		begin 'health of the new release'
		if ! start_candidates "$services"; then
			stop_candidates
			return 6
		fi
		end
	fi
	crash_here before-switch
	complete_release
	begin "switch to $sha"
	if [ "$serving" != "$sha" ]; then
		[ -z "$serving" ] || switch_link previous "$serving"
		switch_link current "$sha"
		sync "$app"
	fi
	crash_here after-switch
	link_services
	hand_over || {
		revert
		return $?
	}
	mark "$sha" live
	end
}

# revert goes back to the release that served before, as fast as it can. It
# returns what activate returns then.
revert() {
	if [ -z "$serving" ]; then
		rm -f "$app/current"
		for name in $services; do
			service "$name"
			systemctl stop "$unit" || :
		done
		return 6
	fi
	if [ "$serving" = "$sha" ]; then
		unredirect
		stop_candidates
		return 6
	fi
	say "going back to $serving"
	switch_link current "$serving"
	sync "$app"
	revert_why=$why
	# shellcheck disable=SC2086 # names
	restart_units $services
	for name in $services; do
		service "$name"
		wait_healthy "$unit" "$port" || say "warning: $why, in the release that served before, too"
	done
	why=$revert_why
	unredirect
	stop_candidates
	return 7
}

# prune keeps the newest $keep releases, whatever current and previous need, and
# nothing of those that failed or were never finished but the mark of failure.
prune() {
	kept_releases=" $(release_of current) $(release_of previous) "
	for victim in "$app"/releases/*/; do
		victim=${victim%/}
		victim=${victim##*/}
		is_kept "$victim" && continue
		if marked "$victim" failed || ! marked "$victim" ready; then
			rm -f "$app/releases/$victim.ready" "$app/releases/$victim.live"
			rm -rf "${app:?}/releases/$victim"
		fi
	done
	find "$app/releases" -maxdepth 1 -name '*.failed' -mtime +30 -delete
	# shellcheck disable=SC2012 # the names are ours: commits, in order of time
	ls -1t "$app/releases" | sed -n 's/\.ready$//p' | tail -n "+$((keep + 1))" | while read -r victim; do
		is_kept "$victim" && continue
		rm -f "$app/releases/$victim.ready" "$app/releases/$victim.live" "$app/releases/$victim.failed"
		rm -rf "${app:?}/releases/$victim"
		[ ! -d "$repo" ] || repo_git update-ref -d "refs/appstack/$victim" 2>/dev/null || :
		say "removed the release $victim"
	done
}

is_kept() { case $kept_releases in *" $1 "*) ;; *) return 1 ;; esac; }

# fail_release STATUS TEXT marks $sha bad and ends the run.
fail_release() {
	complete_release # it need not be built again where the fault was elsewhere
	mark "$sha" failed "$2"
	rm -f "$app/releases/$sha.live"
	if [ -z "$(release_of current)" ]; then
		die "$1" "$2; nothing serves yet"
	fi
	die "$1" "$2; $(release_of current) serves"
}

list() {
	for file in "$app"/releases/*.ready; do
		[ -e "$file" ] || continue
		id=${file##*/}
		id=${id%.ready}
		note=''
		[ "$id" != "$(release_of current)" ] || note='current'
		[ "$id" != "$(release_of previous)" ] || note='previous'
		! marked "$id" failed || note="$note failed: $(cat "$app/releases/$id.failed")"
		printf '%s  %s  %s\n' "$(date -r "$file" '+%Y-%m-%d %H:%M')" "$id" "$note"
	done | sort -r
}

# status prints key=value lines for programs.
status() {
	echo "current=$(release_of current)"
	echo "previous=$(release_of previous)"
	for file in "$app"/releases/*.failed; do
		[ ! -e "$file" ] || echo "failed=$(basename "$file" .failed) $(cat "$file")"
	done
	for file in "$app"/releases/*.ready; do
		[ ! -e "$file" ] || echo "kept=$(basename "$file" .ready)"
	done
	for name in $services; do
		service "$name"
		unit_state "$unit"
		echo "service=$name $active"
	done
	for job in $jobs $backup_unit; do
		job_state "$job"
		echo "job=$job $result $main_status $ended"
	done
}

# job_state sets $result, $main_status and $ended, the seconds since 1970, of a job's
# last run, as job_ended noted them; $ended is 0 before the first.
job_state() {
	result=none main_status=0 ended=0
	[ ! -r "$JOBS/$1" ] || read -r result main_status ended <"$JOBS/$1"
}
