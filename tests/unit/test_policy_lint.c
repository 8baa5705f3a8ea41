/* Lint: each rule has a document that it finds and a neighbour that it does not; what it says can
 * be removed can be; the shipped policies are clean. */
#include "policies/compare.h"
#include "policies/layers.h"
#include "policies/lint.h"
#include "policies/yaml.h"
#include "tests/unit/shipped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD      "carrel: 1\nname: t\n"
#define NET(more) "network: {allow: [{id: a, " more "}]}\n"
#define API(more) "network: {allow: [{id: a, hosts: [api.example.org], " more "}]}\n"
#define SECRET(more) \
    "secrets: [{id: s, inject: {rule: a, header: X-Key, format: \"{}\"}, " more "}]\n"
#define KEY             SECRET("from: {file: /run/keys/k}")
#define CMD(path, more) "tools: {commands: [{id: c, exec: {path: " path "}, " more "}]}\n"
#define LS(more)        CMD("/usr/bin/ls", more)
#define HOSTTOOL(more)  "tools: {host: [{id: h, " more "}]}\n"
#define MCP(more)       "tools: {mcp: [{id: m, " more "}]}\n"
#define MNT(more)       "storage: {mounts: [{id: w, target: /w, " more "}]}\n"
#define SAFE                                                                            \
    "deny_write: [\"**/.git/hooks/**\", \"**/.git/config\"], deny_read: [\"**/.env\", " \
    "\"**/id_*\"]"
#define MEM(more) "storage: {memory: [{id: m, target: /m, " more "}]}\n"
#define GPU(more) "accelerators: [{id: g, attach: passthrough, " more "}]\n"
#define NVIDIA    "match: {vendor: nvidia, class: display}"
#define PINNED(path, user) \
    "tools: {commands: [{id: c, exec: {path: " path ", " SHA "}, user: " user "}"
#define MODEL(more) "models: [{id: m, " more "}]\n"
#define PIN         "pin: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\""
#define SHA         "sha256: \"0000000000000000000000000000000000000000000000000000000000000000\""

/* clang-format off */
static const struct {
    const char *id, *found, *not_found;
} rules[] = {
    { "CR101", NET("any_host: true"), NET("hosts: [x.org]") },
    { "CR102", NET("any_host: true, methods: [GET, PUT]"), NET("any_host: true") },
    { "CR102", NET("any_host: true, protocol: tls"), NET("hosts: [x.org], protocol: tls") },
    { "CR103", NET("hosts: [\"*.co.uk\"]"), NET("hosts: [\"*.x.co.uk\"]") },
    { "CR104", NET("hosts: [\"*.github.io\"]"), NET("hosts: [me.github.io, \"*.github.com\"]") },
    { "CR104", NET("hosts: [\"**.windows.net\"]"), NET("hosts: [\"**.login.windows.net\"]") },
    { "CR104", NET("hosts: [\"*.s3.eu-west-1.amazonaws.com\"]"), NET("hosts: [mine.s3.eu-west-1.amazonaws.com]") },
    { "CR105", NET("hosts: [s3.amazonaws.com]"), NET("hosts: [s3.amazonaws.com], paths: [\"/mine/**\"]") },
    { "CR105", NET("hosts: [oss-cn-beijing.aliyuncs.com], protocol: tls"), NET("hosts: [x.aliyuncs.com], protocol: tls") },
    { "CR105", NET("hosts: [unpkg.com], paths: [\"/a/**\", \"/*/b\"]"), NET("hosts: [unpkg.com], paths: [\"/a/**\"]") },
    { "CR106", NET("hosts: [\"**.x.org\"]"), NET("hosts: [\"*.x.org\"]") },
    { "CR107", NET("hosts: [x.org], protocol: tcp"), NET("hosts: [x.org], protocol: tls") },
    { "CR108", NET("hosts: [x.org], protocol: tls"), NET("hosts: [x.org]") },
    { "CR109", NET("hosts: [x.org], ports: [70..90]"), NET("hosts: [x.org], ports: [81..90]") },
    { "CR110", NET("hosts: [x.org], ports: [8000..8064]"), NET("hosts: [x.org], ports: [8000..8063]") },
    { "CR111", NET("hosts: [x.org], ports: [22], protocol: tcp"), NET("hosts: [x.org], ports: [443]") },
    { "CR112", NET("hosts: [github.com], methods: [POST]"), NET("hosts: [github.com], methods: [POST], paths: [\"/**/git-upload-pack\"]") },
    { "CR112", NET("hosts: [\"*.github.com\"], methods: [POST], paths: [\"/repos/**\"]"), NET("hosts: [\"*.github.com\"], methods: [POST], paths: [\"/repos/me/mine/**\"]") },
    { "CR112", NET("hosts: [gitlab.com], protocol: tls"), NET("hosts: [gitlab.com]") },
    { "CR112", "network: {allow: [{id: a, hosts: [codeberg.org], methods: [POST]}]}\n", "network: {allow: [{id: a, hosts: [codeberg.org], methods: [POST]}], deny: [{id: d, paths: [\"/**/git-receive-pack\"]}]}\n" },
    { "CR113", NET("hosts: [x.org], addresses: [10.1.0.0/16]"), NET("hosts: [x.org], addresses: [93.184.216.0/24]") },
    { "CR114", NET("hosts: [x.org], addresses: [\"::/0\"]"), NET("hosts: [x.org], addresses: [93.0.0.0/8]") },
    { "CR115", NET("hosts: [x.org], limits: {up_per_request: 1GiB}"), NET("hosts: [x.org], limits: {up_per_request: 1023MiB}") },
    { "CR116", NET("hosts: [registry.npmjs.org], methods: [PUT]"), NET("hosts: [registry.npmjs.org], methods: [GET]") },
    { "CR116", NET("hosts: [upload.pypi.org], methods: [POST]"), NET("hosts: [upload.pypi.org], methods: [POST], paths: [/other]") },
    { "CR117", NET("hosts: [x.org]"), NET("hosts: [x.org], limits: {up_per_request: 0B}") },
    { "CR117", NET("hosts: [x.org], methods: [GET]"), NET("hosts: [x.org], methods: [GET, POST]") },
    { "CR117", NET("hosts: [x.org], methods: [HEAD]"), NET("hosts: [x.org], methods: [GET, DELETE]") },
    { "CR118", NET("hosts: [webhook.site]"), NET("hosts: [webhook.example.org]") },
    { "CR118", NET("hosts: [abc.ngrok.io]"), NET("hosts: [ngrok.example.org]") },
    { "CR119", NET("hosts: [dns.google]"), NET("hosts: [dns.example.org]") },
    { "CR120", "network: {publish: [{guest: 80, host: \"0.0.0.0:8080\"}]}\n", "network: {publish: [{guest: 80, host: \"127.0.0.2:8080\"}]}\n" },
    { "CR120", "network: {publish: [{guest: 80, host: \"[::]:8080\"}]}\n", "network: {publish: [{guest: 80, host: \"[::1]:8080\"}]}\n" },
    { "CR121", "network: {publish: [{guest: 80, host: \"127.0.0.1:1023\"}]}\n", "network: {publish: [{guest: 80, host: \"127.0.0.1:1024\"}]}\n" },
    { "CR122", NET("hosts: [x.org]") LS("network: []"), NET("hosts: [x.org]") LS("network: [a]") },
    { "CR122", NET("hosts: [x.org]") LS("user: 1000"), NET("hosts: [x.org]") },

    { "CR201", API("methods: [GET]") KEY, API("methods: [GET], paths: [\"/v1/**\"]") KEY },
    { "CR202", NET("hosts: [\"*.example.org\"]") KEY, API("methods: [GET]") KEY },
    { "CR203", API("ports: [443, 8443]") KEY, API("ports: [443]") KEY },
    { "CR204", NET("hosts: [api.example.org, api.example.net]") KEY, NET("hosts: [api.example.org, www.example.org]") KEY },
    { "CR205", API("methods: [GET]") SECRET("from: {env: API_KEY}"), API("methods: [GET]") KEY },
    { "CR206", API("methods: [GET]") SECRET("from: {file: /srv/x/key}") MNT("source: /srv/x"), API("methods: [GET]") SECRET("from: {file: /srv/xy/key}") MNT("source: /srv/x") },
    { "CR207", API("methods: [GET, DELETE]") KEY, API("methods: [GET, PATCH]") KEY },
    { "CR208", API("methods: [GET]") KEY LS("env: {allow: [\"*\"]}"), API("methods: [GET]") LS("env: {allow: [\"*\"]}") },
    { "CR209", LS("env: {set: {GITHUB_TOKEN: ghp_x1}}"), LS("env: {set: {GITHUB_USER: somebody}}") },

    { "CR301", CMD("/usr/bin/python3.11", "argv: [{allow: [{any: {count: 0..4}}]}]"), CMD("/usr/bin/python3.11", "argv: [{allow: [{any: {count: 0..4}}]}, {deny: [{prefix: \"-c\"}]}]") },
    { "CR301", CMD("/usr/bin/node", "argv: [{allow: [{any: {count: 0..4}}]}, {deny: [{enum: [\"-e\", \"--eval\", \"-p\", \"--print\", \"-pe\"]}]}]"), CMD("/usr/bin/node", "argv: [{allow: [\"server.js\"]}]") },
    { "CR301", CMD("\"/usr/bin/p*\"", "argv: [{allow: [{any: {count: 0..4}}]}]"), CMD("\"/**\"", "argv: [{allow: [{any: {count: 0..4}}]}]") },
    { "CR302", CMD("/usr/bin/find", "argv: [{allow: [{any: {count: 0..4}}]}]"), CMD("/usr/bin/find", "argv: [{allow: [{any: {count: 0..4}}]}, {deny: [{prefix: \"-exec\"}]}]") },
    { "CR302", CMD("/usr/bin/git", "argv: [{allow: [{any: {count: 0..4}}]}]"), CMD("/usr/bin/git", "argv: [{allow: [{enum: [status, log]}, {any: {count: 0..4}}]}]") },
    { "CR303", CMD("/bin/bash", "user: 1000"), CMD("/bin/bashful", "user: 1000") },
    { "CR304", NET("hosts: [x.org]") "tools: {commands: [{id: c, exec: {path: /usr/bin/ls, shell: true}, network: [a]}]}\n", NET("hosts: [x.org]") LS("network: [a]") },
    { "CR304", NET("hosts: [x.org]") CMD("/bin/sh", "network: [a]"), NET("hosts: [x.org]") CMD("/bin/sh", "network: []") },
    { "CR305", "tools: {commands: [{id: c, exec: {path: /usr/bin/ls}, spawn: [d]}, {id: d, exec: {path: /bin/sh}}]}\n", "tools: {commands: [{id: c, exec: {path: /usr/bin/ls}}, {id: d, exec: {path: /bin/sh}}]}\n" },
    { "CR306", LS("argv: [{allow: [{any: {count: 0..16}}]}]"), LS("argv: [{allow: [{any: {count: 0..15}}]}]") },
    { "CR306", LS("argv: [{allow: [{any: {count: 0..32}}]}]"), LS("argv: [{allow: [{any: {count: 0..32}}]}, {deny: [\"-x\"]}]") },
    { "CR306", LS("argv: [{allow: [{any: {count: 0..32}}]}]"), LS("argv: [{allow: [{any: {count: 0..32, max: 64}}]}]") },
    { "CR307", LS("user: 0"), LS("user: 1") },
    { "CR308", LS("capabilities: [cap_sys_admin]"), LS("capabilities: [cap_kill]") },
    { "CR309", LS("capabilities: [cap_dac_override]"), LS("capabilities: [cap_kill]") },
    { "CR310", LS("capabilities: [cap_net_admin]"), LS("capabilities: [cap_kill]") },
    { "CR311", LS("syscalls: {base: all}"), LS("syscalls: {base: tool-default}") },
    { "CR312", LS("syscalls: {add: [io_uring_setup]}"), LS("syscalls: {add: [io_uring_setup], remove: [io_uring_setup]}") },
    { "CR312", LS("syscalls: {base: all}"), LS("syscalls: {base: tool-default, add: [personality]}") },
    { "CR313", LS("paths: {rw: [/etc]}"), LS("paths: {rw: [/tmp], ro: [/etc]}") },
    { "CR314", NET("hosts: [x.org]") LS("network: [a]"), NET("hosts: [x.org]") LS("network: [a], broker: host") },
    { "CR315", CMD("\"/w/bin/*\"", "user: 1000") MNT("source: /srv/x, access: rw"), CMD("/w/bin/x", "user: 1000") MNT("source: /srv/x, access: ro") },
    { "CR316", LS("env: {allow: [\"LD_*\"]}"), LS("env: {allow: [LANG]}") },
    { "CR317", "", LS("user: 1000") },
    { "CR318", PINNED("/bin/x", "0") ", {id: d, exec: {path: \"/bin/*\"}, user: 0}]}\n", PINNED("/bin/x", "0") ", {id: d, exec: {path: \"/bin/*\"}}, {id: f, exec: {path: /bin/y}, user: 0}]}\n" },
    { "CR319", PINNED("/w/x", "0") "]}\n" MNT("source: /srv/x"), PINNED("/wx", "0") "]}\n" MNT("source: /srv/x") },

    { "CR351", HOSTTOOL("command: [/bin/true], approve: never"), HOSTTOOL("command: [/bin/true], approve: once") },
    { "CR352", HOSTTOOL("command: [/bin/true], approve: once"), HOSTTOOL("command: [/bin/true]") },
    { "CR353", HOSTTOOL("command: [/bin/true, {any: {count: 0..1}}]"), HOSTTOOL("command: [/bin/true, {enum: [a, b]}]") },
    { "CR353", HOSTTOOL("command: [/bin/true, {prefix: a}]"), HOSTTOOL("command: [/bin/true, a]") },
    { "CR354", HOSTTOOL("command: [/usr/bin/docker, ps]"), HOSTTOOL("command: [/usr/bin/docker-ls, ps]") },
    { "CR355", "tools: {host: [{id: h, command: [/usr/bin/make, check], cwd: w}]}\n" MNT("source: /srv/x, access: rw"), "tools: {host: [{id: h, command: [/usr/bin/make, check], cwd: w}]}\n" MNT("source: /srv/x, access: ro") },
    { "CR356", "tools: {host: [{id: h, command: [/usr/bin/git, push], cwd: w}]}\n" MNT("source: /srv/x, access: rw, deny_write: [\"**/.git/hooks/**\"]"), "tools: {host: [{id: h, command: [/usr/bin/git, push], cwd: w}]}\n" MNT("source: /srv/x, access: rw, " SAFE) },
    { "CR361", MCP("server: [/bin/x]"), MCP("server: [/bin/x], " PIN) },
    { "CR362", MCP("server: [npx, -y, \"@x/y@latest\"]"), MCP("server: [npx, -y, \"@x/y@1.2.3\"]") },
    { "CR362", MCP("server: [uvx, y]"), MCP("server: [uvx, \"y==1\"]") },
    { "CR363", MCP("server: [/bin/x], allow: [\"*\"]"), MCP("server: [/bin/x], allow: [\"get_*\"]") },
    { "CR364", MCP("server: [x]"), MCP("server: [/bin/x]") },
    { "CR365", MCP("server: [/bin/sh, -c, x]"), MCP("server: [/bin/shx, -c, x]") },
    { "CR366", MCP("server: [/bin/x], max_body: 17MiB"), MCP("server: [/bin/x], max_body: 16MiB") },
    { "CR367", MCP("server: [/bin/x]"), MCP("server: [/bin/x], allow: [a]") },

    { "CR401", MNT("source: /"), MNT("source: /srv") },
    { "CR402", MNT("source: /home/me, access: rw"), MNT("source: /home/me/x, access: rw") },
    { "CR402", MNT("source: \"${home}\", access: rw"), MNT("source: \"${home}\", access: ro") },
    { "CR403", MNT("source: /root, access: ro"), MNT("source: /root/x, access: ro") },
    { "CR404", MNT("source: /etc/x, access: rw"), MNT("source: /etc/x, access: ro") },
    { "CR405", MNT("source: /var/run"), MNT("source: /var/runs") },
    { "CR405", MNT("source: /run/docker.sock, access: ro"), MNT("source: /srv/run") },
    { "CR406", MNT("source: /home/me/.ssh"), MNT("source: /home/me/.sshx") },
    { "CR411", MNT("source: /srv/x, access: rw, deny_write: [\"**/.git/hooks/**\"]"), MNT("source: /srv/x, access: rw, deny_write: [\"**/.git/**\"]") },
    { "CR411", MNT("source: /srv/x, access: rw, deny_write: [\".git/**\"]"), MNT("source: /srv/x, access: ro") },
    { "CR412", MNT("source: /srv/x, access: rw, export: {mode: diff}"), MNT("source: /srv/x, access: rw, export: {mode: diff, review: [hidden]}") },
    { "CR412", MNT("source: /srv/x, access: rw, export: {mode: all}"), MNT("source: /srv/x, access: rw, export: {mode: none}") },
    { "CR413", MNT("source: /srv/x"), MNT("source: /srv/x, deny_read: [\"**/.env\"]") },
    { "CR413", MNT("source: /srv/x, deny_read: [\".env\"]"), MNT("source: /srv/x, access: none") },
    { "CR414", MNT("source: /srv/x"), MNT("source: /srv/x, deny_read: [\"**/id_*\"]") },
    { "CR415", MNT("source: /srv/x, deny_read: [\"**/*.pem\"]"), MNT("source: /srv/x, deny_read: [\"**/*.pem\", \"**/*.key\", \"**/.env*\"]") },
    { "CR421", MNT("source: /srv/x, links: {hardlink: allow}"), MNT("source: /srv/x, links: {hardlink: deny}") },
    { "CR422", MNT("source: /srv/x, links: {device: allow}"), MNT("source: /srv/x") },
    { "CR423", MNT("source: /srv/x, links: {setuid: allow}"), MNT("source: /srv/x") },
    { "CR424", MNT("source: /srv/x, links: {symlink: allow}"), MNT("source: /srv/x, links: {symlink: inside}") },
    { "CR425", MNT("source: /srv/x, access: rw, export: {mode: all}"), MNT("source: /srv/x, access: rw, export: {mode: diff}") },
    { "CR426", MNT("source: /srv/x, access: rw"), MNT("source: /srv/x, access: rw, export: {review: [executable]}") },
    { "CR427", MNT("source: /srv/x, access: rw, quota: {bytes: 1TiB}"), MNT("source: /srv/x, access: rw, quota: {bytes: 1023GiB}") },
    { "CR428", "storage: {mounts: [{id: w, source: /srv/x/y, target: /w, access: ro}, {id: v, source: /srv/x, target: /v, access: rw}]}\n", "storage: {mounts: [{id: w, source: /srv/x/y, target: /w, access: ro}, {id: v, source: /srv/z, target: /v, access: rw}]}\n" },
    { "CR429", "storage: {mounts: [{id: w, source: /srv/x, target: /usr/local}]}\n", "storage: {mounts: [{id: w, source: /srv/x, target: /srv}]}\n" },
    { "CR441", MEM("access: write"), MEM("access: append") },
    { "CR442", MEM("access: append, retain: 6d"), MEM("access: append, retain: 7d") },
    { "CR442", MEM("access: append, keep: 2"), MEM("access: read, keep: 2") },

    { "CR501", "mode: learn\n", "mode: enforce\n" },
    { "CR502", "require: {seccomp: preferred}\n", "require: {seccomp: required}\n" },
    { "CR503", "require: {userns: off}\n", "require: {userns: preferred}\n" },
    { "CR503", "require: {landlock: off}\n", "require: {landlock: required}\n" },
    { "CR503", "require: {core_sched: off}\n", "" },
    { "CR504", "cpu: {nested: true}\n", "cpu: {nested: false}\n" },
    { "CR505", "cpu: {quota: 101%}\n", "cpu: {quota: 200%, vcpus: 2}\n" },
    { "CR506", "memory: {max: 1TiB}\n", "memory: {max: 1023GiB}\n" },
    { "CR507", "memory: {swap: 1GiB}\n", "memory: {swap: 0B}\n" },
    { "CR508", "limits: {pids: 65537}\n", "limits: {pids: 65536}\n" },
    { "CR509", "limits: {wall: 8d}\n", "limits: {wall: 7d}\n" },
    { "CR510", "limits: {wall: 10m}\n", "limits: {wall: 11m}\n" },
    { "CR511", "budget: {egress: 1024TiB}\n", "budget: {egress: 1023TiB}\n" },
    { "CR511", "budget: {forks: 100k}\n", "budget: {tokens: 1k}\n" },
    { "CR512", NET("hosts: [x.org]"), "budget: {egress: 1MiB}\n" NET("hosts: [x.org]") },
    { "CR512", NET("hosts: [x.org]"), "" },
    { "CR513", "image: {name: base}\n", "image: {name: base, " SHA "}\n" },
    { "CR514", "image: {verity: true}\n", "image: {verity: true, " SHA "}\n" },
    { "CR515", "snapshot: {restore: true, reseed: preferred}\n", "snapshot: {restore: true}\n" },
    { "CR515", "snapshot: {restore: true, reseed: off}\n", "snapshot: {save: true, reseed: off}\n" },
    { "CR516", "snapshot: {restore: true, max_age: 31d}\n", "snapshot: {restore: true, max_age: 30d}\n" },
    { "CR521", "audit: {level: off}\n", "audit: {level: denials}\n" },
    { "CR522", "audit: {level: denials}\n", "audit: {level: decisions}\n" },
    { "CR523", "audit: {on_fail: continue}\n", "audit: {on_fail: pause}\n" },
    { "CR524", "audit: {retain: 29d}\n", "audit: {retain: 30d}\n" },
    { "CR525", "audit: {checkpoint: 61s}\n", "audit: {checkpoint: 60s}\n" },

    { "CR601", GPU(NVIDIA ", iommu: {exclusive_group: false}"), GPU(NVIDIA) },
    { "CR602", GPU(NVIDIA ", iommu: {interrupt_remapping: preferred}"), GPU(NVIDIA) },
    { "CR603", GPU(NVIDIA ", reset: {between_tenants: none}"), GPU(NVIDIA ", reset: {between_tenants: verify}") },
    { "CR604", GPU(NVIDIA ", reset: {methods: [flr, pm]}"), GPU(NVIDIA ", reset: {methods: [flr]}") },
    { "CR605", GPU("match: {vendor: amd, class: any}"), GPU("match: {vendor: amd, class: any, ids: [\"1002:74a1\"]}") },
    { "CR606", "accelerators: [{id: g, attach: vhost-user, " NVIDIA "}]\n", GPU(NVIDIA) },
    { "CR611", MODEL("endpoint: \"http://api.example.org/v1\", names: [a]"), MODEL("endpoint: \"https://api.example.org/v1\", names: [a]") },
    { "CR611", MODEL("endpoint: \"http://93.184.216.34:80\", names: [a]"), MODEL("endpoint: \"http://127.0.0.1:8000/v1\", names: [a]") },
    { "CR611", MODEL("endpoint: \"http://[2606:2800::1]:80\", names: [a]"), MODEL("endpoint: \"http://[::1]:8000/v1\", names: [a]") },
    { "CR612", MODEL("endpoint: \"https://x.org\", names: [\"*\"]"), MODEL("endpoint: \"https://x.org\", names: [\"q*\"]") },
    { "CR613", MODEL("endpoint: \"https://x.org\", names: [a], budget: {per_minute: 1M}"), MODEL("endpoint: \"https://x.org\", names: [a], budget: {per_minute: 999999}") },
    { "CR614", MODEL("endpoint: \"https://x.org\", names: [a], budget: {input_tokens: 2M}"), "budget: {tokens: 2M}\n" MODEL("endpoint: \"https://x.org\", names: [a], budget: {input_tokens: 2M}") },
    { "CR615", MODEL("endpoint: \"https://x.org/v1\", names: [a]") NET("hosts: [\"x.org\"]"), MODEL("endpoint: \"https://x.org:8443/v1\", names: [a]") NET("hosts: [\"x.org\"]") },

    { "CR615", MODEL("endpoint: \"http://x.org/v1\", names: [a]") NET("hosts: [x.org], ports: [80]"), MODEL("endpoint: \"http://x.org/v1\", names: [a]") NET("hosts: [x.org], ports: [443]") },

    { "CR701", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, hosts: [x.org]}]}\n", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, hosts: [x.org], methods: [GET]}]}\n" },
    { "CR701", NET("hosts: [x.org], methods: []"), NET("hosts: [x.org], methods: [GET]") },
    { "CR702", "network: {allow: [{id: a, hosts: [\"**.x.org\"]}, {id: b, hosts: [q.x.org]}]}\n", "network: {allow: [{id: a, hosts: [\"**.x.org\"]}, {id: b, hosts: [q.x.org], methods: [GET, POST]}]}\n" },
    { "CR702", "tools: {commands: [{id: a, exec: {path: \"/usr/bin/*\"}}, {id: b, exec: {path: /usr/bin/ls}}]}\n", "tools: {commands: [{id: a, exec: {path: \"/usr/bin/*\"}}, {id: b, exec: {path: /usr/bin/ls, shell: true}}]}\n" },
    { "CR703", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, hosts: [z.org]}]}\n", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, hosts: [x.org], paths: [/a]}]}\n" },
    { "CR703", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, addresses: [10.0.0.0/8]}]}\n", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, addresses: [93.0.0.0/8]}]}\n" },
    { "CR703", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, paths: [\"/a/**\"]}, {id: e, paths: [/a/b]}]}\n", "network: {allow: [{id: a, hosts: [x.org]}], deny: [{id: d, paths: [\"/a/**\"]}, {id: e, paths: [/b]}]}\n" },
    { "CR705", API("methods: [GET]") "secrets: [{id: s, from: {file: /k}, inject: {rule: a, header: x-key, format: \"{}\"}}, {id: t, from: {file: /l}, inject: {rule: a, header: X-Key, format: \"{}\"}}]\n", API("methods: [GET]") "secrets: [{id: s, from: {file: /k}, inject: {rule: a, header: x-key, format: \"{}\"}}, {id: t, from: {file: /l}, inject: {rule: a, header: X-Keys, format: \"{}\"}}]\n" },
    { "CR706", "tools: {mcp: [{id: m, server: [/bin/x, a]}, {id: n, server: [/bin/x, a]}]}\n", "tools: {mcp: [{id: m, server: [/bin/x, a]}, {id: n, server: [/bin/x, b]}]}\n" },
    { "CR707", "network: {allow: [{id: git-hub, hosts: [x.org]}, {id: git_hub, hosts: [y.org]}]}\n", "network: {allow: [{id: git-hub, hosts: [x.org]}, {id: git-lab, hosts: [y.org]}]}\n" },
    { "CR707", "network: {allow: [{id: pypi, hosts: [x.org]}, {id: pyp1, hosts: [y.org]}]}\n", "network: {allow: [{id: pypi, hosts: [x.org]}], deny: [{id: pyp1, paths: [/a]}]}\n" },
};
/* clang-format on */

static struct findings lint(const char *yaml, size_t len, const char *file)
{
    struct problems ps = PROBLEMS_INIT;
    struct policy *p = policy_load(yaml, len, file, NULL, NULL, &ps);
    struct findings f = FINDINGS_INIT;
    struct text t = TEXT_INIT;
    struct ruleset *rs;

    problems_print(&ps, &t);
    if (!p) {
        fail_msg("%s\n%s", yaml, text_str(&t));
        return f;
    }
    rs = ruleset_make(p, NULL);
    policy_lint(p, rs, &f);
    ruleset_free(rs);
    policy_free(p);
    problems_fini(&ps);
    text_fini(&t);
    return f;
}

static struct findings lint_body(const char *body)
{
    struct text t = TEXT_INIT;
    struct findings f;

    text_add(&t, HEAD "%s", body);
    f = lint(t.p, t.len, "f");
    text_fini(&t);
    return f;
}

static unsigned times(const struct findings *f, const char *id)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < f->n; i++)
        n += strcmp(f->v[i].id, id) == 0;
    return n;
}

static void each_rule_finds_and_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(rules); i++) {
        struct findings yes = lint_body(rules[i].found), no = lint_body(rules[i].not_found);

        if (times(&yes, rules[i].id) != 1)
            fail_msg("%s, %u times in: %s", rules[i].id, times(&yes, rules[i].id), rules[i].found);
        if (times(&no, rules[i].id))
            fail_msg("%s in: %s", rules[i].id, rules[i].not_found);
        findings_fini(&yes);
        findings_fini(&no);
    }
}

/* CR704 needs a document that is too complex for a table. */
static void every_rule_is_tried(void **state)
{
    const struct lint_rule *r, *last = NULL;
    uint32_t n = 0;

    (void)state;
    for (; (r = lint_rule_at(n)); n++) {
        bool tried = strcmp(r->id, "CR704") == 0;

        for (size_t i = 0; i < array_len(rules) && !tried; i++)
            tried = strcmp(rules[i].id, r->id) == 0;
        if (!tried)
            fail_msg("%s is not in the table of this test", r->id);
        if (last && strcmp(last->id, r->id) >= 0)
            fail_msg("%s is out of order", r->id);
        for (uint32_t k = 0; k < n; k++)
            assert_string_not_equal(lint_rule_at(k)->name, r->name);
        assert_ptr_equal(lint_rule_find(r->id), r);
        assert_ptr_equal(lint_rule_find(r->name), r);
        assert_int_equal(r->says[strlen(r->says) - 1], '.');
        assert_int_equal(r->remedy[strlen(r->remedy) - 1], '.');
        last = r;
    }
    assert_true(n >= 40);
    assert_null(lint_rule_find("CR999"));
}

static void cr704_a_limit_not_the_clock(void **state)
{
    struct text t = TEXT_INIT;
    struct findings f;

    (void)state;
    text_add(&t, "network: {allow: [");
    for (unsigned i = 0; i < 60; i++)
        text_add(&t, "{id: n%u, hosts: [x.org], paths: [\"/*%c*%c*%c*%c*%c*%c*/**\"]},\n", i,
                 'a' + i % 3, 'a' + i % 5, 'a' + i % 7, 'a' + i % 11, 'a' + i % 13, 'a' + i % 2);
    text_add(&t, "]}\n");
    f = lint_body(text_str(&t));
    assert_int_equal(times(&f, "CR704"), 1);
    findings_fini(&f);
    text_fini(&t);
}

static void found(const char *body, const char *line)
{
    struct findings f = lint_body(body);
    struct text t = TEXT_INIT;

    findings_print(&f, &t);
    if (!strstr(text_str(&t), line))
        fail_msg("wanted \"%s\" in:\n%s", line, text_str(&t));
    text_fini(&t);
    findings_fini(&f);
}

static void findings_have_places(void **state)
{
    (void)state;
    found("audit:\n  level: off\n",
          "f:4:3: error CR521: audit.level: nothing is recorded\n  hint: Leave audit.level out");
    found("network:\n  allow:\n  - {id: a, hosts: [x.org], protocol: tcp}\n",
          "f:5:29: warning CR107: network/a: bytes that nobody looks at");
    /* A default is found where the entry is. */
    found("storage:\n  mounts:\n  - {id: w, source: /srv/x, target: /w}\n",
          "f:5:5: warning CR413: storage/w: /w/.env can be read");
    found("accelerators:\n- {id: g, attach: passthrough, match: {vendor: nvidia}, iommu:\n   "
          "{exclusive_group: false}}\n",
          "f:5:5: error CR601: accelerators/g");
}

static void the_cover_is_named(void **state)
{
    const char *all = "network:\n  allow:\n  - {id: a, hosts: [x.org, y.org]}\n"
                      "  - {id: b, hosts: [z.org], ports: [443, 8443]}\n"
                      "  - {id: c, hosts: [x.org, z.org]}\n"
                      "  - {id: d, hosts: [v.org]}\n  - {id: e, hosts: [v.org]}\n"
                      "  deny:\n  - {id: f, hosts: [v.org], paths: [\"/**\"]}\n";

    (void)state;
    found(all, "f:7:5: warning CR702: network/c: what it allows is allowed by network/a (f:5), "
               "network/b (f:6)\n");
    found(all, "f:8:5: warning CR701: network/d: allows nothing: denied by network/deny/f (f:11)");
    /* Of two that are the same, the first one stays. */
    found("network:\n  allow:\n  - {id: a, hosts: [x.org]}\n  - {id: b, hosts: [x.org]}\n",
          "f:6:5: warning CR702: network/b: what it allows is allowed by network/a (f:5)\n  hint: "
          "Remove it, or narrow the one that covers it.\n");
}

/* Everything that CR702 and CR703 name goes at once, and nothing changes. */
static void what_can_go_can_go(void **state)
{
    static const char *const hosts[] = { "x.org", "*.x.org", "**.x.org", "a.x.org", "y.org" };
    static const char *const paths[] = { "/**", "/a/**", "/a/b", "/*/b", "/b" };
    uint64_t seed = 7;
    unsigned removed = 0;

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        char entry[12][160];
        bool deny[12];
        struct text t = TEXT_INIT, less = TEXT_INIT;
        struct findings f;

        for (unsigned i = 0; i < 12; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;

            uint64_t r = seed >> 33;

            deny[i] = r % 4 == 0;
            snprintf(entry[i], sizeof(entry[i]),
                     "{id: n%u, hosts: [\"%s\"], methods: [%s], paths: [\"%s\"]%s}", i,
                     hosts[r / 4 % 5], r / 20 % 2 ? "GET" : "GET, POST", paths[r / 40 % 5],
                     deny[i] || r / 200 % 3 ? "" : ", limits: {rate: 1/s}");
        }
        for (unsigned pass = 0; pass < 2; pass++) {
            text_add(&t, "%s", pass ? "], deny: [" : HEAD "network: {allow: [");
            for (unsigned i = 0; i < 12; i++)
                if (deny[i] == (pass == 1))
                    text_add(&t, "%s,\n", entry[i]);
        }
        text_add(&t, "]}\n");
        f = lint(t.p, t.len, "f");
        for (unsigned pass = 0; pass < 2; pass++) {
            text_add(&less, "%s", pass ? "], deny: [" : HEAD "network: {allow: [");
            for (unsigned i = 0; i < 12; i++) {
                char name[40];
                bool gone = false;

                snprintf(name, sizeof(name), "network/%sn%u", deny[i] ? "deny/" : "", i);
                for (uint32_t k = 0; k < f.n; k++)
                    gone = gone ||
                           ((strcmp(f.v[k].id, "CR702") == 0 || strcmp(f.v[k].id, "CR703") == 0) &&
                            strcmp(f.v[k].subject, name) == 0);
                if (deny[i] == (pass == 1) && !gone)
                    text_add(&less, "%s,\n", entry[i]);
                removed += gone;
            }
        }
        text_add(&less, "]}\n");

        struct policy *a = policy_parse(t.p, t.len, "a", NULL);
        struct policy *b = policy_parse(less.p, less.len, "b", NULL);
        struct ruleset *ra = ruleset_make(a, NULL), *rb = ruleset_make(b, NULL);
        struct arena arena = ARENA_INIT;
        struct diff d;

        policy_diff(ra, rb, &arena, &d);
        if (d.change != CHANGE_SAME)
            fail_msg("not the same:\n%s\n%s", text_str(&t), text_str(&less));
        arena_fini(&arena);
        ruleset_free(ra);
        ruleset_free(rb);
        policy_free(a);
        policy_free(b);
        findings_fini(&f);
        text_fini(&t);
        text_fini(&less);
    }
    assert_true(removed > 600);
}

static bool accepts(const char *text, struct acceptances *a, const char *why)
{
    struct problems ps = PROBLEMS_INIT;
    struct text t = TEXT_INIT;
    bool ok = acceptances_parse(a, text, strlen(text), "f.lint", &ps);

    problems_print(&ps, &t);
    if (ok != !why || (why && !strstr(text_str(&t), why)))
        fail_msg("%s", text_str(&t));
    problems_fini(&ps);
    text_fini(&t);
    return ok;
}

static void findings_are_accepted_with_a_reason(void **state)
{
    struct acceptances a;
    struct findings f = lint_body("audit: {level: off, retain: 1d}\n");
    struct text t = TEXT_INIT;
    const struct findings *one = &f;

    (void)state;
    assert_int_equal(f.counts[LINT_ERROR], 1);
    assert_int_equal(f.counts[LINT_WARNING], 1);
    assert_true(accepts("# why\n\nCR521 audit.level   the tests read the guest's output\n"
                        "audit-off network/a it is about another thing",
                        &a, NULL));
    findings_accept(&f, &a);
    assert_int_equal(f.counts[LINT_ERROR], 0);
    assert_int_equal(f.counts[LINT_WARNING], 1);
    assert_int_equal(f.accepted, 1);
    assert_true(a.v[0].used && !a.v[1].used);
    findings_print(&f, &t);
    assert_null(strstr(text_str(&t), "CR521"));
    text_fini(&t);
    findings_json(&one, 1, &t);
    assert_non_null(strstr(text_str(&t), "\"accepted\":\"the tests read the guest's output\""));
    text_fini(&t);
    findings_sarif(&one, 1, "1", &t);
    assert_non_null(strstr(text_str(&t), "\"justification\":\"the tests read"));
    text_fini(&t);
    findings_ignore(&f, lint_rule_find("CR524"));
    assert_int_equal(f.counts[LINT_WARNING], 0);
    acceptances_fini(&a);
    findings_fini(&f);

    assert_false(accepts("CR521 audit.level\n", &a, "f.lint:1:1: error: wanted: RULE SUBJECT"));
    acceptances_fini(&a);
    assert_false(accepts("\nCR521 audit.level ok\n", &a, "f.lint:2:1: error: wanted"));
    acceptances_fini(&a);
    assert_false(accepts("CR000 audit.level for a good reason\n", &a, "no such rule"));
    acceptances_fini(&a);
    assert_false(accepts("CR521 audit.level a reason\twith a tab\n", &a, "control byte"));
    acceptances_fini(&a);
}

static void shipped(const char *name, void *ctx)
{
    size_t n = 0, na = 0;
    char *yaml = shipped_file(name, ".yaml", &n), *taken = shipped_file(name, ".lint", &na);
    struct findings f = lint(yaml, n, name);
    struct text t = TEXT_INIT;

    (void)ctx;
    if (taken) {
        struct acceptances a;
        struct problems ps = PROBLEMS_INIT;

        assert_true(acceptances_parse(&a, taken, na, name, &ps));
        findings_accept(&f, &a);
        for (uint32_t i = 0; i < a.n; i++)
            if (!a.v[i].used)
                fail_msg("%s.lint:%u: nothing is found there", name, a.v[i].line);
        acceptances_fini(&a);
        problems_fini(&ps);
    }
    findings_print(&f, &t);
    if (f.counts[LINT_ERROR] || f.counts[LINT_WARNING])
        fail_msg("%s", text_str(&t));
    text_fini(&t);
    findings_fini(&f);
    free(yaml);
    free(taken);
}

static void shipped_policies_are_clean(void **state)
{
    (void)state;
    assert_true(shipped_each(shipped, NULL) >= 14);
}

static void a_document_that_is_wrong(void **state)
{
    struct problems ps = PROBLEMS_INIT;
    struct findings f = FINDINGS_INIT;
    struct text t = TEXT_INIT;
    const struct findings *one = &f;

    (void)state;
    assert_null(policy_parse("a: 1\n", 5, "f", &ps));
    findings_of_problems(&f, &ps);
    assert_int_equal(f.counts[LINT_ERROR], ps.errors);
    findings_print(&f, &t);
    assert_non_null(strstr(text_str(&t), "f:1:1: error: unknown key \"a\""));
    text_fini(&t);
    findings_sarif(&one, 1, "1", &t);
    assert_non_null(strstr(text_str(&t), "\"ruleId\":\"key\",\"level\":\"error\""));
    text_fini(&t);
    findings_fini(&f);
    problems_fini(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_finds_and_does_not),
        cmocka_unit_test(every_rule_is_tried),
        cmocka_unit_test(cr704_a_limit_not_the_clock),
        cmocka_unit_test(findings_have_places),
        cmocka_unit_test(the_cover_is_named),
        cmocka_unit_test(what_can_go_can_go),
        cmocka_unit_test(findings_are_accepted_with_a_reason),
        cmocka_unit_test(a_document_that_is_wrong),
        cmocka_unit_test(shipped_policies_are_clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
