/* What has been typed goes to the server, which answers with the counters, notes and previews of the page. Nothing of
   the platform's rules is known here. Without this script the page shows what has been saved. */
"use strict";
{
    const WAIT = 350;

    const fieldsOf = (row) => row.querySelectorAll("textarea[data-channels], input[type=text][data-channels]");
    const isText = (element) => element.matches("textarea[data-channels], input[type=text][data-channels]");

    const show = (id, html) => {
        const place = document.getElementById(id);
        if (!place) {
            return;
        }
        // Unchanged parts are not replaced, so that screen readers do not read them again.
        const shown = place.dataset.shown ?? place.innerHTML;
        place.dataset.shown = html;
        if (shown.trim() !== html.trim()) {
            place.innerHTML = html;
        }
    };

    /* Whether the content security policy allows a picture: loading it anyway would log an error. */
    const admits = (policy, address) => {
        const directives = new Map((policy || "").split(/[;,]/).map((line) => {
            const [name, ...sources] = line.trim().toLowerCase().split(/\s+/);
            return [name, sources];
        }));
        const sources = directives.get("img-src") || directives.get("default-src");
        const {protocol, hostname, origin} = new URL(address, location.href);
        const isHost = (source) => source.startsWith("*.") ? hostname.endsWith(source.slice(1)) : hostname === source;
        return !sources || sources.some((source) => source === "*" || source === protocol
            || isHost(source.replace(/^https?:\/\//, "").replace(/[:/].*$/, ""))
            || (source === "'self'" && origin === location.origin));
    };

    const showPictures = (place, policy) => {
        for (const picture of place.querySelectorAll("[data-image]:not(.hyber-tried)")) {
            picture.classList.add("hyber-tried");
            if (!admits(policy, picture.dataset.image)) {
                continue;
            }
            const image = document.createElement("img");
            image.alt = picture.dataset.alt;
            image.referrerPolicy = "no-referrer";
            image.addEventListener("load", () => picture.classList.add("hyber-loaded"));
            image.addEventListener("error", () => image.remove());
            image.src = picture.dataset.image;
            picture.prepend(image);
        }
    };

    const insert = (field, text) => {
        const [start, end] = [field.selectionStart, field.selectionEnd];
        field.focus();
        field.setRangeText(text, start, end, "end");
        field.dispatchEvent(new Event("input", {bubbles: true}));
    };

    const compose = (box) => {
        const form = box.closest("form");
        const failure = box.querySelector(".hyber-failure");
        let recipient = box.dataset.recipient;
        let variables = box.dataset.variables.split(" ").filter(Boolean);
        let timer = 0;
        let running = null;

        const ask = async (step) => {
            clearTimeout(timer);
            if (running) {
                running.abort();
            }
            running = new AbortController();
            const data = new FormData(form);
            data.set("recipient", recipient);
            data.set("step", step);
            try {
                const response = await fetch(box.dataset.compose, {
                    method: "POST", body: data, signal: running.signal, headers: {Accept: "application/json"},
                });
                if (!response.ok || !response.headers.get("Content-Type").startsWith("application/json")) {
                    throw new Error(response.statusText);
                }
                apply(await response.json(), response.headers.get("Content-Security-Policy"));
                failure.hidden = true;
            } catch (error) {
                if (error.name !== "AbortError") {
                    failure.textContent = box.dataset.failed;
                    failure.hidden = false;
                }
            }
        };

        const apply = (answer, policy) => {
            for (const [id, html] of Object.entries(answer.parts)) {
                show(id, html);
            }
            showPictures(box, policy);
            recipient = answer.recipient ?? "";
            box.querySelector("[data-step=previous]").disabled = !answer.hasPrevious;
            box.querySelector("[data-step=next]").disabled = !answer.hasNext;
            showDefaultTexts(answer);
            if (answer.variables.join(" ") !== variables.join(" ")) {
                variables = answer.variables;
                box.querySelectorAll(".inline-related:not(.empty-form)").forEach(offer);
            }
        };

        const showDefaultTexts = (answer) => {
            const place = document.getElementById("id_variable_defaults");
            const names = answer.defaultNames.join(" ");
            if (place && place.dataset.names !== names) {
                place.outerHTML = answer.defaultTexts;
                document.getElementById("id_variable_defaults").dataset.names = names;
            }
        };

        const askSoon = () => {
            clearTimeout(timer);
            timer = setTimeout(ask, WAIT, "");
        };

        /* Buttons that insert a variable at the last cursor position in the fields of the row. */
        const offer = (row) => {
            const text = row.querySelector("textarea[name$='-text']");
            let bar = row.querySelector(".hyber-insert");
            if (!bar) {
                bar = document.createElement("div");
                bar.className = "hyber-insert";
                bar.setAttribute("role", "group");
                bar.setAttribute("aria-label", box.dataset.insert);
                text.closest(".form-row").append(bar);
            }
            const buttons = variables.map((name) => {
                const button = document.createElement("button");
                button.type = "button";
                button.textContent = `%${name}%`;
                button.addEventListener("click", () => {
                    const field = Array.from(fieldsOf(row)).find((one) => one.id === row.dataset.field) || text;
                    insert(field.closest(".hyber-not-of-channel") ? text : field, `%${name}%`);
                });
                return button;
            });
            bar.replaceChildren(box.dataset.insert, ...buttons);
            bar.hidden = buttons.length === 0;
        };

        /* Uploads an image and puts its address into the field. Without a name the file is no part of the form. */
        const offerUpload = (row) => {
            const field = row.querySelector("input[name$='-img']");
            const line = field && field.closest(".form-row");
            if (!line || !box.dataset.image || line.querySelector(".hyber-upload")) {
                return;
            }
            const [label, file, said] = ["label", "input", "span"].map((name) => document.createElement(name));
            Object.assign(file, {type: "file", accept: "image/png,image/jpeg"});
            said.setAttribute("role", "alert");
            said.className = "hyber-error";
            label.className = "hyber-upload";
            label.append(box.dataset.upload, " ", file);
            line.append(label, said);
            file.addEventListener("change", async () => {
                const data = new FormData();
                data.set("image", file.files[0]);
                data.set("account", form.querySelector("[name=account]")?.value ?? "");
                data.set("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
                said.textContent = "";
                try {
                    const response = await fetch(box.dataset.image, {method: "POST", body: data});
                    const answer = await response.json();
                    if (answer.address) {
                        field.value = answer.address;
                        field.dispatchEvent(new Event("input", {bubbles: true}));
                    } else {
                        said.textContent = answer.error;
                    }
                } catch {
                    said.textContent = box.dataset.notUploaded;
                }
                file.value = "";
            });
        };

        const showPolicyFields = () => {
            const chosen = form.querySelector("[name=missing_variables]");
            const texts = form.querySelector(".form-row.field-variable_defaults");
            if (chosen && texts) {
                texts.hidden = chosen.value !== "default";
            }
        };

        /* The error of a field that was saved is over once the field is changed: its note says what is wrong now. */
        const forgetErrors = ({target}) => {
            const row = target.closest(".form-row");
            if (!row || !row.closest(".hyber-fields")) {
                return;
            }
            const places = [row, row.closest(".hyber-fields")];
            places.flatMap((place) => [...place.querySelectorAll(":scope > .errorlist, :scope > * > .errorlist")])
                .filter((list) => row.contains(list) || list.parentElement === places[1])
                .forEach((list) => list.remove());
            row.classList.remove("errors");
            target.removeAttribute("aria-invalid");
        };

        form.addEventListener("input", forgetErrors);
        form.addEventListener("input", askSoon);
        form.addEventListener("change", () => {
            showPolicyFields();
            askSoon();
        });
        form.addEventListener("hyber:changed", askSoon);
        box.addEventListener("focusin", (event) => {
            const row = event.target.closest(".inline-related");
            if (row && isText(event.target)) {
                row.dataset.field = event.target.id;
            }
        });
        for (const button of box.querySelectorAll("[data-step]")) {
            button.addEventListener("click", () => ask(button.dataset.step));
        }
        document.addEventListener("formset:added", (event) => {
            if (box.contains(event.target)) {
                offer(event.target);
                offerUpload(event.target);
            }
        });
        box.querySelectorAll(".inline-related:not(.empty-form)").forEach(offer);
        box.querySelectorAll(".inline-related:not(.empty-form)").forEach(offerUpload);
        showPolicyFields();
        ask("");
    };

    document.addEventListener("DOMContentLoaded", () => {
        document.querySelectorAll(".hyber-channels[data-compose]").forEach(compose);
    });
}
