"use strict";

// Switches, colours and contrast of the channels.
debatch.makeChannels = (host, app, pictures) => {
  const { make } = debatch.dom;
  const rows = pictures.channels.map((channel) => {
    const on = make("input", { type: "checkbox", onchange: () => set(channel, { on: on.checked }) });
    const colour = make("input", {
      type: "color",
      "aria-label": `Colour of ${channel.name}`,
      oninput: () => set(channel, { colour: colour.value }),
    });
    const [low, high] = ["Black", "White"].map((end) =>
      make("input", {
        type: "range",
        min: 0,
        max: 1,
        step: 0.01,
        "aria-label": `${end} point of ${channel.name}`,
        title: `${end} point`,
        oninput: ranged,
      }),
    );
    function ranged() {
      set(channel, { low: Math.min(+low.value, 0.98), high: Math.max(+high.value, Math.min(+low.value, 0.98) + 0.02) });
    }
    const element = make(
      "div",
      { class: "channel" },
      make("label", {}, on, make("span", { class: "name" }, channel.name)),
      colour,
      low,
      high,
    );
    return { channel, on, colour, low, high, element };
  });

  function set(channel, values) {
    Object.assign(channel, values);
    app.change("pictures");
  }

  function update() {
    for (const { channel, on, colour, low, high } of rows) {
      on.checked = channel.on;
      colour.value = channel.colour;
      low.value = channel.low;
      high.value = channel.high;
    }
  }

  const reset = make(
    "button",
    {
      type: "button",
      onclick: () => {
        pictures.channels.forEach((channel) =>
          Object.assign(channel, { on: true, low: 0, high: 1, colour: channel.initial }),
        );
        app.change("pictures");
      },
    },
    "Reset channels",
  );
  host.append(
    make(
      "div",
      { class: "channel heads" },
      make("span", {}, "channel"),
      make("span", {}),
      make("span", {}, "black"),
      make("span", {}, "white"),
    ),
    ...rows.map((row) => row.element),
    reset,
  );
  return { update };
};
