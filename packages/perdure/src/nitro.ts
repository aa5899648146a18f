/** `perdure/nitro`: the compiler as a module of Nitro. */
export { default, type NitroModule } from "@perdure/compiler/nitro";
