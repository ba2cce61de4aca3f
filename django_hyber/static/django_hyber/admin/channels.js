/* The channels of a campaign: each row shows only its channel's fields; buttons, or dragging, change the order.
   Without this script all fields are shown and the order is a number. It reports its changes to the form by a "hyber:changed"
   event, as typing does by "input". */
"use strict";
{
    const rowsOf = (box) => Array.from(box.querySelectorAll(".inline-related:not(.empty-form)"));
    const boxOf = (row) => row.closest(".hyber-channels");
    const selectOf = (row) => row.querySelector("select[name$='-channel']");
    const positionOf = (row) => row.querySelector("input[name$='-position']");
    const indexOf = (row) => Number(row.id.split("-").pop());
    const placeOf = (row) => positionOf(row).value === "" ? Infinity : Number(positionOf(row).value);
    const lists = (element, channel) => element.split(" ").includes(channel);

    const showFields = (row) => {
        const channel = selectOf(row).value;
        row.classList.toggle("hyber-chosen", channel !== "");
        for (const input of row.querySelectorAll("[data-channels]:is(input, select, textarea)")) {
            const line = input.closest(".form-row");
            line.classList.toggle("hyber-not-of-channel", channel === "" || !lists(input.dataset.channels, channel));
            const label = line.querySelector("label");
            if (label) {
                label.classList.toggle("required", lists(input.dataset.requiredBy, channel));
            }
        }
        const more = row.querySelector(".hyber-more");
        const own = Array.from(more.querySelectorAll("[data-channels]:is(input, select, textarea)"))
            .filter((input) => lists(input.dataset.channels, channel));
        more.classList.toggle("hyber-not-of-channel", own.length === 0);
        if (more.querySelector("details") && own.some((input) => input.value !== "")) {
            more.querySelector("details").open = true;
        }
        for (const limit of row.querySelectorAll(".hyber-limit")) {
            limit.classList.toggle("hyber-not-of-channel", !lists(limit.dataset.channels, channel));
        }
    };

    const nameOf = (row) => {
        const select = selectOf(row);
        return select.value ? select.options[select.selectedIndex].text : "";
    };

    const changed = (box) => box.dispatchEvent(new CustomEvent("hyber:changed", {bubbles: true}));

    const say = (row) => {
        const box = boxOf(row);
        const rows = rowsOf(box);
        const values = {name: nameOf(row), number: rows.indexOf(row) + 1, total: rows.length};
        box.querySelector(".hyber-said").textContent = box.dataset.moved.replace(/{(\w+)}/g, (_, key) => values[key]);
    };

    const renumber = (box) => {
        const rows = rowsOf(box);
        let last = -1;
        rows.forEach((row, number) => {
            /* A number that fits stays: another one would be a change that nobody has made. */
            if (placeOf(row) <= last || placeOf(row) === Infinity) {
                positionOf(row).value = last + 1;
            }
            last = placeOf(row);
            const label = row.querySelector(".inline_label");
            label.textContent = label.textContent.replace(/#\d+/, `#${number + 1}`);
            const [up, down] = row.querySelectorAll(".hyber-move button");
            up.disabled = number === 0;
            down.disabled = number === rows.length - 1;
            up.setAttribute("aria-label", `${box.dataset.moveUp}: ${nameOf(row)}`);
            down.setAttribute("aria-label", `${box.dataset.moveDown}: ${nameOf(row)}`);
        });
    };

    const arrange = (box, order) => {
        const rows = rowsOf(box);
        const end = box.querySelector(".inline-related.empty-form");
        rows.sort((one, other) => (order(one) > order(other)) - (order(one) < order(other)));
        rows.forEach((row) => end.before(row));
    };

    const move = (row, step, button) => {
        const box = boxOf(row);
        const rows = rowsOf(box);
        const other = rows[rows.indexOf(row) + step];
        if (step < 0) {
            other.before(row);
        } else {
            other.after(row);
        }
        renumber(box);
        (button.disabled ? row.querySelector(".hyber-move button:enabled") : button).focus();
        say(row);
        changed(box);
    };

    // Only the grip drags a row, so that text in its fields can still be selected with the mouse.
    const addGrip = (row, place) => {
        const grip = document.createElement("span");
        grip.className = "hyber-grip";
        grip.textContent = "⠿";
        grip.title = boxOf(row).dataset.drag;
        grip.draggable = true;
        grip.setAttribute("aria-hidden", "true");
        grip.addEventListener("dragstart", (event) => {
            event.dataTransfer.effectAllowed = "move";
            event.dataTransfer.setData("text/plain", "");
            event.dataTransfer.setDragImage(row.querySelector("h3"), 0, 0);
            row.classList.add("hyber-dragged");
        });
        grip.addEventListener("dragend", () => {
            row.classList.remove("hyber-dragged");
            renumber(boxOf(row));
            say(row);
            changed(boxOf(row));
        });
        place.prepend(grip);
    };

    const dragOver = (event) => {
        const box = event.currentTarget;
        const dragged = box.querySelector(".hyber-dragged");
        const row = event.target.closest(".inline-related:not(.empty-form)");
        if (!dragged || !row) {
            return;
        }
        event.preventDefault();
        if (row !== dragged) {
            const place = row.getBoundingClientRect();
            row[event.clientY < place.top + place.height / 2 ? "before" : "after"](dragged);
        }
    };

    const addButtons = (row) => {
        const place = document.createElement("span");
        place.className = "hyber-move";
        for (const [step, sign] of [[-1, "↑"], [1, "↓"]]) {
            const button = document.createElement("button");
            button.type = "button";
            button.textContent = sign;
            button.addEventListener("click", () => move(row, step, button));
            place.append(button);
        }
        row.querySelector("h3").append(place);
        addGrip(row, row.querySelector("h3"));
    };

    const prepare = (row) => {
        addButtons(row);
        showFields(row);
        selectOf(row).addEventListener("change", () => {
            showFields(row);
            renumber(boxOf(row));
        });
        const removal = row.querySelector("input[name$='-DELETE']");
        if (removal) {
            removal.addEventListener("change", () => row.classList.toggle("hyber-removed", removal.checked));
            row.classList.toggle("hyber-removed", removal.checked);
        }
    };

    const start = (box) => {
        if (!box.querySelector(".inline-related.empty-form")) {
            return;
        }
        box.classList.add("hyber-live");
        rowsOf(box).forEach(prepare);
        arrange(box, placeOf);
        renumber(box);
        box.addEventListener("dragover", dragOver);
        box.addEventListener("drop", (event) => event.preventDefault());
    };

    document.addEventListener("DOMContentLoaded", () => {
        document.querySelectorAll(".hyber-channels").forEach(start);
    });

    document.addEventListener("formset:added", (event) => {
        const box = boxOf(event.target);
        if (box) {
            prepare(event.target);
            renumber(box);
            changed(box);
        }
    });

    // Django renumbers the rows in their order on the page, and expects the saved ones first.
    document.addEventListener("formset:removed", () => {
        for (const box of document.querySelectorAll(".hyber-channels.hyber-live")) {
            arrange(box, indexOf);
            setTimeout(() => {
                arrange(box, placeOf);
                renumber(box);
                changed(box);
            });
        }
    });
}
