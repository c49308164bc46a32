package network

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func TestDeletionsTakeOurChainsOnly(t *testing.T) {
	const listing = `-P FORWARD ACCEPT
-N DOCKER
-N LAB-pvelab1
-N LAB-pvelab10
-N LAB-pvelab1-out
-A FORWARD -o pvelab1 -j LAB-pvelab1
-A FORWARD -i pvelab1 -j LAB-pvelab1
-A FORWARD -i pvelab10 -j LAB-pvelab10
-A FORWARD -j DOCKER
-A POSTROUTING -s 10.86.1.0/24 ! -o pvelab1 -j LAB-pvelab1-out
-A LAB-pvelab1 -p tcp -j REJECT
-A LAB-pvelab1 -j LAB-pvelab1-out
`
	want := []string{
		"-D FORWARD -o pvelab1 -j LAB-pvelab1",
		"-D FORWARD -i pvelab1 -j LAB-pvelab1",
		"-D POSTROUTING -s 10.86.1.0/24 ! -o pvelab1 -j LAB-pvelab1-out",
		"-F LAB-pvelab1", "-X LAB-pvelab1", "-F LAB-pvelab1-out", "-X LAB-pvelab1-out",
	}
	var got []string
	for _, args := range deletions(listing, "LAB-pvelab1") {
		got = append(got, strings.Join(args, " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRulesRefuseEveryPrivateNetwork(t *testing.T) {
	c := Config{Bridge: "pvelab1", Subnet: netip.MustParsePrefix("10.86.1.0/24")}
	var refused []netip.Prefix
	for _, r := range c.rules() {
		if r[0] != "iif" || r[1] != "pvelab1" || r[len(r)-1] != "unreachable" {
			t.Errorf("rule %v is not about the guests", r)
			continue
		}
		refused = append(refused, netip.MustParsePrefix(r[3]))
	}
	for _, addr := range []string{"10.0.0.1", "10.86.2.1", "172.31.255.255", "192.168.0.1", "100.127.0.1", "169.254.169.254", "224.0.0.251"} {
		covered := false
		for _, p := range refused {
			covered = covered || p.Contains(netip.MustParseAddr(addr))
		}
		if !covered {
			t.Errorf("%s is not refused", addr)
		}
	}
}

// A lab that comes up beside others finds the machine's rules there, and leaves them:
// without them for a moment, the others' guests would be out of reach.
func TestHostRulesAreRecognised(t *testing.T) {
	listing := `0:	from all lookup local
900:	from all to 10.255.255.53 iif lo lookup main
901:	from all iif lo lookup main suppress_prefixlength 0
902:	from all to 10.0.0.0/8 iif lo unreachable
903:	from all to 172.16.0.0/12 iif lo unreachable
904:	from all to 192.168.0.0/16 iif lo unreachable
905:	from all to 100.64.0.0/10 iif lo unreachable
906:	from all to 169.254.0.0/16 iif lo unreachable
1000:	from all to 10.0.0.0/8 iif pvelab7 [detached] unreachable
32766:	from all lookup main
`
	have := slices.DeleteFunc(parseRules(listing), func(r rule) bool { return !r.ofHost() })
	if want := hostRules([]netip.Addr{netip.MustParseAddr("10.255.255.53")}); !slices.EqualFunc(have, want, rule.equal) {
		t.Errorf("listed are %v, wanted %v", have, want)
	}
	if other := hostRules(nil); slices.EqualFunc(have, other, rule.equal) {
		t.Error("another name server makes no difference")
	}
}

func TestResolvers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# a comment\nsearch lan\nnameserver 10.0.0.53\nnameserver 2001:db8::1\nnameserver\nnameserver 9.9.9.9 # far\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Resolvers(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Addr{netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("9.9.9.9")}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func query(t testing.TB, name string, kind dnsmessage.Type) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestResolverKnowsTheLabsNames(t *testing.T) {
	addr := netip.MustParseAddr("10.86.1.1")
	r := Resolver{Hosts: map[string]netip.Addr{"github.lab.": addr}}
	for kind, answers := range map[dnsmessage.Type]int{dnsmessage.TypeA: 1, dnsmessage.TypeAAAA: 0} {
		reply, err := r.answer(t.Context(), query(t, "github.lab.", kind))
		if err != nil {
			t.Fatal(err)
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil {
			t.Fatal(err)
		}
		if m.ID != 7 || !m.Response || m.RCode != dnsmessage.RCodeSuccess || len(m.Answers) != answers {
			t.Errorf("%s: %+v", kind, m)
		}
		if answers == 1 && m.Answers[0].Body.(*dnsmessage.AResource).A != addr.As4() {
			t.Errorf("github.lab is %v", m.Answers[0].Body)
		}
	}
	if _, err := r.answer(t.Context(), query(t, "example.org.", dnsmessage.TypeA)); err == nil {
		t.Error("an unknown name was answered without a name server to ask")
	}
}

func FuzzResolver(f *testing.F) {
	f.Add(query(f, "github.lab.", dnsmessage.TypeA))
	f.Add([]byte{0})
	r := Resolver{Hosts: map[string]netip.Addr{"github.lab.": netip.MustParseAddr("10.86.1.1")}}
	f.Fuzz(func(t *testing.T, q []byte) {
		reply, ok := r.local(q)
		var m dnsmessage.Message
		if ok && m.Unpack(reply) != nil {
			t.Errorf("%x is answered by %x, which is no message", q, reply)
		}
	})
}

func FuzzDeletions(f *testing.F) {
	f.Add("-N LAB-x\n-A FORWARD -j LAB-x\n")
	f.Fuzz(func(t *testing.T, listing string) {
		for _, args := range deletions(listing, "LAB-x") {
			if !strings.HasPrefix(args[len(args)-1], "LAB-x") {
				t.Errorf("%q would delete %v", listing, args)
			}
		}
	})
}

func TestCacheDownloadsWhatNeverChangesOnce(t *testing.T) {
	var asked atomic.Int32
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Range") != "" {
			t.Error("a part was asked for: the cache would keep a part")
		}
		if strings.Contains(r.URL.Path, "missing") {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte("content of " + r.URL.Path))
	}))
	defer origin.Close()
	c := &Cache{Dir: t.TempDir()}
	get := func(path, part string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, "http://"+origin.Listener.Addr().String()+path, nil)
		if part != "" {
			r.Header.Set("Range", part)
		}
		w := httptest.NewRecorder()
		c.serveCached(w, r, http.DefaultTransport)
		return w.Code, w.Body.String()
	}
	if code, body := get("/pool/a_1_amd64.deb", "bytes=0-6"); code != 206 || body != "content" {
		t.Errorf("a part: %d %q", code, body)
	}
	if code, body := get("/pool/a_1_amd64.deb", ""); code != 200 || body != "content of /pool/a_1_amd64.deb" {
		t.Errorf("the whole: %d %q", code, body)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
	for range 2 {
		if code, _ := get("/pool/missing.deb", ""); code != 404 {
			t.Errorf("a missing file: %d", code)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("a 404 was kept, or asked for %d times", n-1)
	}
}

func TestCacheDialsNoPrivateAddress(t *testing.T) {
	for addr, want := range map[string]bool{
		"10.1.2.3": false, "127.0.0.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"::1": false, "fe80::1": false, "fd00::1": false, "203.0.113.80": true,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("public(%s) = %v", addr, got)
		}
	}
	for path, want := range map[string]bool{
		"/debian/pool/main/c/curl/curl_7.88.1-10_amd64.deb": true,
		"/debian/dists/bookworm/main/by-hash/SHA256/abc":    true,
		"/debian/dists/bookworm/InRelease":                  false,
		"/../x.deb":                                         false,
	} {
		if got := immutable(path); got != want {
			t.Errorf("immutable(%s) = %v", path, got)
		}
	}
}
