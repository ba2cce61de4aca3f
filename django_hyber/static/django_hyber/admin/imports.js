/* The choice of columns: shows the input for a variable's name only where it is needed, and lists the variables that no
   column gives. Without this script all inputs are shown, and the server reports errors. */
"use strict";
{
    const NAMED = "variable";

    const nameOf = (column) => column.querySelector("input[type=text]");
    const useOf = (column) => column.querySelector("select").value;
    const given = (columns) => new Set(
        columns.filter((column) => useOf(column) === NAMED).map((column) => nameOf(column).value.trim().replace(/^%+|%+$/g, ""))
    );

    const showNames = (columns) => {
        for (const column of columns) {
            const name = nameOf(column);
            if (name) {
                name.hidden = useOf(column) !== NAMED;
            }
        }
    };

    const showMissing = (columns) => {
        const box = document.querySelector("#hyber-missing [data-missing]");
        if (!box) {
            return;
        }
        const names = given(columns);
        for (const line of box.querySelectorAll("[data-variable]")) {
            line.hidden = names.has(line.dataset.variable);
        }
        box.hidden = box.querySelector("[data-variable]:not([hidden])") === null;
    };

    document.addEventListener("DOMContentLoaded", () => {
        const columns = Array.from(document.querySelectorAll("[data-column]"));
        const look = () => {
            showNames(columns);
            showMissing(columns);
        };
        for (const column of columns) {
            column.addEventListener("input", look);
        }
        look();
    });
}
