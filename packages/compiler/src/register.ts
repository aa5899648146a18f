/**
 * The compiler as a hook of Node's module loader: `node --import @perdure/compiler/register app.ts`. Node strips the types
 * after it. Importing this module is what installs the hook.
 */

import { readFileSync } from "node:fs";
import module from "node:module";
import { dirname, extname } from "node:path";
import { fileURLToPath } from "node:url";
import remapping from "@jridgewell/remapping";
import { CompileError, formatDiagnostic } from "./diagnostics.ts";
import { isInstalled } from "./installed.ts";
import { originOf } from "./origin.ts";
import { projectRoot, realPath } from "./project.ts";
import { isSource, type SourceMap, transform } from "./transform.ts";

// Not a named import: on an older Node that would fail to link, with a message that helps nobody.
if (typeof module.registerHooks !== "function") {
  throw new Error(
    `perdure/register needs Node 22.15 or later, and this is ${process.version}. Update Node, or build with the esbuild or Vite plugin.`,
  );
}

const root = projectRoot(startFolder());

module.registerHooks({
  load(url, context, nextLoad) {
    const filename = url.startsWith("file:") ? fileURLToPath(url) : undefined;
    if (filename === undefined || !isSource(filename)) return nextLoad(url, context);
    const loaded = orExplain(filename, () => nextLoad(url, context));
    if (loaded.source == null) {
      // CommonJS of a package, which Node reads by itself: only said, since it cannot be compiled.
      if (isInstalled(filename)) compile(readFileSync(filename, "utf8"), filename);
      return loaded;
    }
    const code = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
    const compiled = compile(code, filename);
    if (compiled === undefined) return loaded;
    // A file without `import` and `export` counts as CommonJS until the runtime's import is in it.
    return { ...loaded, format: loaded.format?.replace("commonjs", "module"), source: compiled };
  },
});

/** The compiled source with its map, or `undefined` if the file stays as it is. */
function compile(code: string, filename: string): string | undefined {
  const result = transform(code, { filename, root });
  if (!result) return undefined;
  const errors = result.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new CompileError(errors);
  for (const warning of result.diagnostics) {
    process.emitWarning(formatDiagnostic(warning), { type: "PerdureWarning", code: warning.code });
  }
  if (!result.map) return undefined;
  const map = Buffer.from(JSON.stringify(mapToSource(result.map, code, filename))).toString("base64");
  return `${result.code}\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,${map}`;
}

/** The map to the file, or through the map that another compiler has left in it to the file's own source. */
function mapToSource(map: SourceMap, code: string, filename: string): object {
  const origin = originOf(code, filename);
  return origin ? remapping([{ ...map, version: 3 }, { ...origin.map, version: 3 }], () => null) : map;
}

/** The main script's folder, which does not change with the directory one starts it from; else the working directory. */
function startFolder(): string {
  const main = process.argv[1];
  return main === undefined || /[\\/]node_modules[\\/]/.test(main) ? process.cwd() : dirname(realPath(main));
}

/** Runs the next loader, and says what to do where Node cannot load the kind of file at all. */
function orExplain<T>(filename: string, load: () => T): T {
  try {
    return load();
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_UNKNOWN_FILE_EXTENSION"))
      throw cause;
    const reason = /sx$/.test(extname(filename))
      ? "Node cannot run JSX. Build it with the esbuild or Vite plugin, or keep marked functions in .ts files."
      : `Node ${process.version} runs TypeScript only with --experimental-strip-types. Add it, or use Node 22.18 or later.`;
    throw new Error(`${filename} cannot be loaded: ${reason}`, { cause });
  }
}
