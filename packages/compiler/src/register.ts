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
import { originOf, type SourceMap } from "./origin.ts";
import { projectRoot, realPath } from "./project.ts";
import { isSource, type TransformResult, transform } from "./transform.ts";

// Not a named import: on an older Node that would fail to link, with a message that helps nobody.
if (typeof module.registerHooks !== "function") {
  const error = new Error(
    process.versions.bun === undefined
      ? `perdure/register needs Node 22.15 or later, and this is ${process.version}: update Node, or build with the plugin of a bundler.`
      : "perdure/register is not for Bun, which has no `registerHooks` of node:module: build with `Bun.build` and perdure/bun.",
  );
  // Where it was thrown would only bury that.
  error.stack = `${error.name}: ${error.message}`;
  throw error;
}

const root = projectRoot(startFolder());

module.registerHooks({
  load(url, context, nextLoad) {
    const filename = url.startsWith("file:") ? fileURLToPath(url) : undefined;
    if (filename === undefined || !isSource(filename)) return nextLoad(url, context);
    const loaded = orExplain(filename, () => nextLoad(url, context));
    const code = textOf(loaded.source, filename);
    const compiled = compile(code, filename);
    if (compiled === undefined) return loaded;
    // A file that neither imports nor exports, and requires nothing, counts as CommonJS until the runtime's import is in it.
    const format =
      compiled.format === "module" ? loaded.format?.replace("commonjs", "module") : loaded.format;
    return { ...loaded, format, source: compiled.code };
  },
});

/** The source as text; Node reads some CommonJS by itself and gives none. */
function textOf(source: module.LoadFnOutput["source"], filename: string): string {
  if (source == null) return readFileSync(filename, "utf8");
  return typeof source === "string" ? source : new TextDecoder().decode(source);
}

/** The compiled source with its map, or `undefined` if the file stays as it is. */
function compile(code: string, filename: string): Pick<TransformResult, "code" | "format"> | undefined {
  const result = transform(code, { filename, root, commonjs: true });
  if (!result) return undefined;
  const errors = result.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new CompileError(errors);
  for (const warning of result.diagnostics) {
    process.emitWarning(formatDiagnostic(warning), { type: "PerdureWarning", code: warning.code });
  }
  if (!result.map) return undefined;
  const map = Buffer.from(JSON.stringify(mapToSource(result.map, code, filename))).toString("base64");
  const comment = `//# sourceMappingURL=data:application/json;charset=utf-8;base64,${map}`;
  return { code: `${result.code}\n${comment}`, format: result.format };
}

/** The map to the file, or through the map that another compiler has left in it to the file's own source. */
function mapToSource(map: SourceMap, code: string, filename: string): object {
  const origin = originOf(code, filename);
  return origin
    ? remapping(
        [
          { ...map, version: 3 },
          { ...origin.map, version: 3 },
        ],
        () => null,
      )
    : map;
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
