/** The compiler as a loader of webpack's kind, for tools that take loaders and no plugins: Turbopack, and rules of one's own. */
import { CompileError, formatDiagnostic } from "./diagnostics.ts";
import type { SourceMap } from "./origin.ts";
import type { PluginOptions } from "./plugin.ts";
import { projectRoot } from "./project.ts";
import { isSource, type TransformResult, transform } from "./transform.ts";

/** Settings of the loader: plain data, as Turbopack demands. */
export interface LoaderOptions extends PluginOptions {
  /**
   * Whether one process may load a module several times, from several bundles of the build, as in Next.js: functions of one id are
   * then the same function, and the last one counts. Default: no; two functions of one id are an error then.
   */
  copies?: boolean | undefined;
}

/** What the loader uses of the `this` that webpack, Rspack and Turbopack call it with. */
export interface LoaderContext {
  readonly resourcePath: string;
  readonly resourceQuery?: string;
  readonly rootContext?: string;
  getOptions(): LoaderOptions;
  emitWarning(warning: Error): void;
  callback(error: null, code?: string, map?: SourceMap | string | object | null): void;
}

/**
 * Compiles the directives of one file. Put it before every other loader of the file, so that it sees the user's own source: in
 * webpack's order that is the last of `use`, or a rule with `enforce: "pre"`.
 *
 * @example
 * export default {
 *   module: { rules: [{ test: /\.[cm]?[jt]sx?$/, enforce: "pre", loader: "@perdure/compiler/loader" }] },
 * };
 */
export default function perdureLoader(
  this: LoaderContext,
  code: string,
  map?: SourceMap | string | object | null,
): void {
  const result = compile(code, this);
  const errors = result?.diagnostics.filter(({ severity }) => severity === "error") ?? [];
  if (errors.length > 0) throw new CompileError(errors);
  for (const warning of result?.diagnostics ?? []) this.emitWarning(new Error(formatDiagnostic(warning)));
  if (result?.map) this.callback(null, result.code, result.map);
  else this.callback(null, code, map);
}

function compile(code: string, context: LoaderContext): TransformResult | null {
  const { resourcePath: filename, resourceQuery = "", rootContext = process.cwd() } = context;
  // With a query it is a part of a file, or its text: no module of its own.
  if (!isSource(filename) || resourceQuery !== "") return null;
  const { root = projectRoot(rootContext), runtime, copies, exclude } = context.getOptions();
  return transform(code, { filename, root, runtime, copies, exclude });
}
