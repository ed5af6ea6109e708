"use strict";

// What the page loads. From a disk a browser runs scripts and shows pictures, and reads nothing else: each file of data
// is a script that hands over one value.
const debatch = {};

debatch.data = (() => {
  const values = new Map();
  const asked = new Map();
  const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array };

  debatch.receive = (name, value) => values.set(name, value);

  // The value of a file beside the page, by its path there.
  function load(file) {
    if (!asked.has(file)) asked.set(file, values.has(file) ? Promise.resolve(values.get(file)) : run(file));
    return asked.get(file);
  }

  function run(file) {
    return new Promise((resolve, reject) => {
      const failed = () =>
        reject(new Error(`${file} is not in the page's folder. Copy the whole folder, or make it again.`));
      const script = document.createElement("script");
      script.src = address(file);
      script.onload = () => (values.has(file) ? resolve(values.get(file)) : failed());
      script.onerror = failed;
      document.head.append(script);
    });
  }

  function address(file) {
    return file.split("/").map(encodeURIComponent).join("/");
  }

  // Packed numbers as a typed array, packed texts as a list.
  async function unpack(packed) {
    const stream = new Blob([bytes(packed.data)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const buffer = await new Response(stream).arrayBuffer();
    return packed.type === "json" ? JSON.parse(new TextDecoder().decode(buffer)) : new ARRAYS[packed.type](buffer);
  }

  function bytes(base64) {
    const text = atob(base64);
    const found = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) found[at] = text.charCodeAt(at);
    return found;
  }

  return { load, unpack, address };
})();
