/** `perdure/esbuild`: the compiler as a plugin. */
export { default, type PluginOptions } from "@perdure/compiler/esbuild";
