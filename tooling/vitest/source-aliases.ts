import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Alias {
  find: RegExp;
  replacement: string;
}

/**
 * Maps every export of every published package to its source file, so tests never run a stale build.
 * The pairs are read from the packages' own `tsup.config.ts`: there is no second list to keep.
 */
export function sourceAliases(root: string): Alias[] {
  const aliases: Alias[] = [];
  for (const folder of readdirSync(join(root, "packages"))) {
    const dir = join(root, "packages", folder);
    const { name } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as { name: string };
    const config = readFileSync(join(dir, "tsup.config.ts"), "utf8");
    for (const [, entry, source] of config.matchAll(/^\s+"?([\w-]+)"?: "(src\/[^"]+)",$/gm)) {
      const specifier = entry === "index" ? name : `${name}/${entry}`;
      aliases.push({ find: new RegExp(`^${specifier}$`), replacement: join(dir, source as string) });
    }
  }
  return aliases;
}
