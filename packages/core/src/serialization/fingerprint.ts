/**
 * Tells whether two starts under one idempotency key have the same arguments.
 */
import { createHash } from "node:crypto";
import { unpack } from "./format.ts";

/**
 * A digest of a workflow's name and its encoded arguments, as 64 hexadecimal characters. The order of an object's keys
 * does not count; everything else does: the order of arrays, maps and sets, `undefined` against a missing key, and
 * whether two places hold the same object or equal ones.
 */
export function fingerprint(workflow: string, args: Uint8Array | null): string {
  const hash = createHash("sha256");
  // The length keeps the name apart from what follows it.
  hash.update(`${workflow.length}:${workflow}`);
  if (args !== null) {
    const { format, text } = unpack(args);
    hash.update(format);
    hash.update(format === "j" ? canonicalJson(JSON.parse(text)) : canonicalGraph(JSON.parse(text)));
  }
  return hash.digest("hex");
}

function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  const entries = Object.entries(value).sort(byKey);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join()}}`;
}

/**
 * devalue's text is an array of nodes that name each other by index, in the order in which they were met. Here they are
 * written out again in the order of sorted keys, and met again they are named by that order.
 */
function canonicalGraph(nodes: unknown): string {
  if (!Array.isArray(nodes)) return JSON.stringify(nodes);
  const met = new Map<number, number>();

  const visit = (index: number): string => {
    const node: unknown = nodes[index];
    // Negative numbers stand for undefined, NaN and the like.
    if (index < 0) return `<${index}>`;
    if (typeof node !== "object" || node === null) return JSON.stringify(node);
    const again = met.get(index);
    if (again !== undefined) return `#${again}`;
    met.set(index, met.size);
    if (!Array.isArray(node)) {
      const entries = Object.entries(node as Record<string, number>).sort(byKey);
      return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${visit(item)}`).join()}}`;
    }
    return `[${members(node, nodes, visit).join()}]`;
  };
  return visit(0);
}

/** The members of an array or of a tagged node such as `["Date","2026-…"]` or `["Map",1,2]`. */
function members(node: unknown[], nodes: unknown[], visit: (index: number) => string): string[] {
  const [tag, first] = node;
  if (tag === "null") return nullPrototypeMembers(node, visit);
  // An object with an own `__proto__`: the node that it names is a map, and its keys are strings.
  if ((tag === "Entries" || tag === "NullEntries") && Array.isArray(nodes[first as number])) {
    const [, ...map] = nodes[first as number] as number[];
    const entries: [string, number][] = [];
    for (let at = 0; at < map.length; at += 2) {
      entries.push([nodes[map[at] as number] as string, map[at + 1] as number]);
    }
    const sorted = entries.sort(byKey).map(([key, item]) => `${JSON.stringify(key)}:${visit(item)}`);
    return [JSON.stringify(tag), ...sorted];
  }
  // -7 marks a sparse array: its length, then pairs of position and member.
  if (tag === -7)
    return node.map((item, at) => (at > 1 && at % 2 === 1 ? visit(item as number) : String(item)));
  return node.map((item) => (typeof item === "number" ? visit(item) : JSON.stringify(item)));
}

function nullPrototypeMembers(node: unknown[], visit: (index: number) => string): string[] {
  const entries: [string, number][] = [];
  for (let at = 1; at < node.length; at += 2) entries.push([node[at] as string, node[at + 1] as number]);
  return entries.sort(byKey).map(([key, item]) => `${JSON.stringify(key)}:${visit(item)}`);
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
