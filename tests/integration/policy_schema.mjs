// policy_schema.mjs SCHEMA LIBRARY CARREL - the schema that carrel prints, judged by ajv.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import { parse } from "yaml";

const [schemaFile, library, carrel] = process.argv.slice(2);
const schema = JSON.parse(readFileSync(schemaFile, "utf8"));
const validate = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false }).compile(schema);
const dir = mkdtempSync(join(tmpdir(), "carrel-schema-"));
let tried = 0;
let wrong = 0;

function expect(what, got, want) {
  tried++;
  if (got === want) return;
  wrong++;
  console.log(`${what}: ${got ? "valid" : "not valid"}: ${JSON.stringify(validate.errors)}`);
}

// What carrel itself says of a document: does it parse, whatever lint thinks of it?
function taken(doc) {
  const file = join(dir, "x.yaml");
  writeFileSync(file, JSON.stringify(doc));
  try {
    execFileSync(carrel, ["policy", "show", file], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

// Every map of a document, as a path.
function* maps(value, path = []) {
  if (Array.isArray(value)) for (const [i, v] of value.entries()) yield* maps(v, [...path, i]);
  else if (value && typeof value === "object") {
    yield path;
    for (const [k, v] of Object.entries(value)) yield* maps(v, [...path, k]);
  }
}

const at = (doc, path) => path.reduce((v, k) => v[k], doc);
// There a key is a name of the author's, not of the language.
const free = (path) => ["set", "args"].includes(path.at(-1));

for (const name of readdirSync(library).filter((f) => f.endsWith(".yaml") && !f.endsWith(".cases.yaml"))) {
  const doc = parse(readFileSync(join(library, name), "utf8"));
  expect(name, validate(doc), true);
  for (const path of maps(doc)) {
    if (free(path)) continue;
    const copy = structuredClone(doc);
    at(copy, path).xyzzy = 1;
    expect(`${name}: an unknown key at /${path.join("/")}`, validate(copy), false);
  }
}

// Both refuse these, or both take them.
const pairs = [
  [{ cpu: { vcpus: 2 } }, true],
  [{ cpu: { vcpus: "2" } }, null],
  [{ cpu: { vcpus: 0 } }, false],
  [{ cpu: { nested: true } }, true],
  [{ cpu: { nested: "yes" } }, false],
  [{ memory: { max: "1GiB" } }, true],
  [{ memory: { max: 1073741824 } }, false],
  [{ memory: { max: "1GB" } }, false],
  [{ limits: { wall: "30m" } }, true],
  [{ limits: { wall: "-30m" } }, false],
  [{ limits: { pids: "10k" } }, null],
  [{ mode: "enforce" }, true],
  [{ mode: "enforced" }, false],
  [{ network: { allow: [{ id: "a", hosts: ["x.org"], ports: [443, "8000..8099"] }] } }, true],
  [{ network: { allow: [{ id: "a", hosts: ["x.org"], ports: [0] }] } }, false],
  [{ network: { allow: [{ id: "a", hosts: ["localhost"] }] } }, false],
  [{ network: { allow: [{ id: "A", hosts: ["x.org"] }] } }, false],
  [{ network: { allow: [{ hosts: ["x.org"] }] } }, false],
  [{ network: { allow: { id: "a" } } }, false],
  [{ network: { allow: [{ id: "a", hosts: ["x.org"], methods: ["get"] }] } }, false],
  [{ tools: { commands: [{ id: "a", exec: { path: "/bin/x" }, capabilities: ["cap_kill"] }] } }, true],
  [{ tools: { commands: [{ id: "a", exec: { path: "/bin/x" }, capabilities: ["cap_kil"] }] } }, false],
  [{ tools: { commands: [{ id: "a", exec: { path: "bin/x" } }] } }, false],
  [{ tools: { mcp: [{ id: "m", server: ["/bin/x"], allow: ["a", { tool: "b", args: { p: { prefix: "d/" } } }] }] } }, true],
  [{ storage: { mounts: [{ id: "w", source: "./", target: "/w", access: "rw" }] } }, true],
  [{ storage: { mounts: [{ id: "w", source: "w", target: "/w" }] } }, false],
  [{ extends: ["base"] }, false],
  [{ accelerators: [{ id: "g", attach: "passthrough", match: { vendor: "nvidia" } }] }, true],
  [{ accelerators: [{ id: "g", attach: "usb", match: { vendor: "nvidia" } }] }, false],
];
for (const [part, want] of pairs) {
  const doc = { carrel: 1, name: "t", ...part };
  const valid = validate(doc);
  if (want !== null) {
    expect(JSON.stringify(part), valid, want);
    expect(`carrel: ${JSON.stringify(part)}`, taken(doc), want);
  } else if (taken(doc)) expect(JSON.stringify(part), valid, true);
}
expect("no name", validate({ carrel: 1 }), false);
expect("no version", validate({ name: "t" }), false);
expect("another version", validate({ carrel: 2, name: "t" }), false);

rmSync(dir, { recursive: true });
console.log(`${tried} documents, ${wrong} judged otherwise than wanted`);
process.exit(wrong || tried < 200 ? 1 : 0);
