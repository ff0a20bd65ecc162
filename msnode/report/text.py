"""What people read, in the configured language; coded meanings stay standard."""

from dataclasses import dataclass

LANGUAGES = ("en", "de", "fr", "es", "nl")

_PHRASES: dict[str, tuple[str, str, str, str, str]] = {
    "banner": (
        "AI RESULT – NOT VERIFIED BY A PHYSICIAN",
        "KI-ERGEBNIS – NICHT ÄRZTLICH GEPRÜFT",
        "RÉSULTAT D’IA – NON VÉRIFIÉ PAR UN MÉDECIN",
        "RESULTADO DE IA – NO VERIFICADO POR UN MÉDICO",
        "AI-RESULTAAT – NIET DOOR EEN ARTS GECONTROLEERD",
    ),
    "banner_short": (
        "AI – NOT VERIFIED",
        "KI – NICHT GEPRÜFT",
        "IA – NON VÉRIFIÉ",
        "IA – NO VERIFICADO",
        "AI – NIET GECONTROLEERD",
    ),
    "research": (
        "Research use only",
        "Nur für Forschungszwecke",
        "Réservé à la recherche",
        "Solo para investigación",
        "Alleen voor onderzoek",
    ),
    "title": (
        "Multiple sclerosis triage",
        "Multiple-Sklerose-Triage",
        "Triage de la sclérose en plaques",
        "Triaje de esclerosis múltiple",
        "Triage van multiple sclerose",
    ),
    "whole_study": (
        "Result of the whole study, not of a place in the image",
        "Ergebnis der ganzen Studie, nicht einer Stelle im Bild",
        "Résultat de l’examen entier, pas d’un point de l’image",
        "Resultado de todo el estudio, no de un punto de la imagen",
        "Resultaat van het hele onderzoek, niet van een plek in het beeld",
    ),
    "pattern": ("MS pattern", "MS-Muster", "Aspect de SEP", "Patrón de EM", "MS-patroon"),
    "present": ("present", "vorhanden", "présent", "presente", "aanwezig"),
    "absent": ("absent", "nicht vorhanden", "absent", "ausente", "afwezig"),
    "undetermined": ("undetermined", "unbestimmt", "indéterminé", "indeterminado", "onbepaald"),
    "not_analysed": (
        "Not analysed",
        "Nicht ausgewertet",
        "Non analysé",
        "No analizado",
        "Niet geanalyseerd",
    ),
    "no_result": (
        "There is no AI result for this study. It says nothing about the patient.",
        "Zu dieser Studie gibt es kein KI-Ergebnis. Das sagt nichts über den Patienten aus.",
        "Il n’y a pas de résultat d’IA pour cet examen. Cela ne dit rien du patient.",
        "No hay resultado de IA para este estudio. Esto no dice nada sobre el paciente.",
        "Voor dit onderzoek is er geen AI-resultaat. Dit zegt niets over de patiënt.",
    ),
    "reason": ("Reason", "Grund", "Motif", "Motivo", "Reden"),
    "probability": (
        "Probability",
        "Wahrscheinlichkeit",
        "Probabilité",
        "Probabilidad",
        "Waarschijnlijkheid",
    ),
    "threshold": ("threshold", "Schwelle", "seuil", "umbral", "drempel"),
    "undetermined_zone": (
        "no decision between {low} and {high}",
        "keine Entscheidung zwischen {low} und {high}",
        "pas de décision entre {low} et {high}",
        "sin decisión entre {low} y {high}",
        "geen beslissing tussen {low} en {high}",
    ),
    "performance": (
        "At the threshold: sensitivity {sensitivity}, specificity {specificity} ({measured_on})",
        "An der Schwelle: Sensitivität {sensitivity}, Spezifität {specificity} ({measured_on})",
        "Au seuil : sensibilité {sensitivity}, spécificité {specificity} ({measured_on})",
        "En el umbral: sensibilidad {sensitivity}, especificidad {specificity} ({measured_on})",
        "Bij de drempel: sensitiviteit {sensitivity}, specificiteit {specificity} ({measured_on})",
    ),
    "unmeasured": (
        "Sensitivity and specificity at the threshold have not been measured.",
        "Sensitivität und Spezifität an der Schwelle sind nicht gemessen.",
        "Sensibilité et spécificité au seuil non mesurées.",
        "Sensibilidad y especificidad en el umbral no medidas.",
        "Sensitiviteit en specificiteit bij de drempel zijn niet gemeten.",
    ),
    "model": ("Model", "Modell", "Modèle", "Modelo", "Model"),
    "version": ("version", "Version", "version", "versión", "versie"),
    "priority": (
        "Suggested reading priority",
        "Vorgeschlagene Befundungspriorität",
        "Priorité de lecture suggérée",
        "Prioridad de lectura sugerida",
        "Voorgestelde leesprioriteit",
    ),
    "urgent": ("urgent", "dringend", "urgente", "urgente", "spoed"),
    "routine": ("routine", "Routine", "routine", "rutina", "routine"),
    "series_used": (
        "Series used",
        "Verwendete Serie",
        "Série utilisée",
        "Serie utilizada",
        "Gebruikte serie",
    ),
    "series_seen": (
        "Series considered",
        "Geprüfte Serien",
        "Séries examinées",
        "Series consideradas",
        "Beoordeelde series",
    ),
    "unnamed": (
        "no description",
        "ohne Beschreibung",
        "sans description",
        "sin descripción",
        "zonder beschrijving",
    ),
    "input": (
        "{count} slices, {thickness} mm apart",
        "{count} Schichten im Abstand von {thickness} mm",
        "{count} coupes, espacées de {thickness} mm",
        "{count} cortes, separados {thickness} mm",
        "{count} coupes, {thickness} mm uit elkaar",
    ),
    "missing": (
        "{count} missing",
        "{count} fehlen",
        "{count} manquante(s)",
        "faltan {count}",
        "{count} ontbreken",
    ),
    "reformatted": (
        "reformatted to axial",
        "axial reformatiert",
        "reformatée en axial",
        "reformateada a axial",
        "axiaal gereformatteerd",
    ),
    "slice_of": (
        "Slice {number} of {count}",
        "Schicht {number} von {count}",
        "Coupe {number} sur {count}",
        "Corte {number} de {count}",
        "Coupe {number} van {count}",
    ),
    "image": (
        "Image {number}",
        "Bild {number}",
        "Image {number}",
        "Imagen {number}",
        "Beeld {number}",
    ),
    "by_slice": (
        "Probability by slice, from feet to head",
        "Wahrscheinlichkeit je Schicht, von kaudal nach kranial",
        "Probabilité par coupe, des pieds vers la tête",
        "Probabilidad por corte, de pies a cabeza",
        "Waarschijnlijkheid per coupe, van voeten naar hoofd",
    ),
    "saliency": ("Saliency", "Salienz", "Saillance", "Saliencia", "Saliëntie"),
    "saliency_note": (
        "Bright areas drove the result; they are not lesion outlines.",
        "Helle Bereiche bestimmten das Ergebnis; es sind keine Läsionsgrenzen.",
        "Les zones claires ont déterminé le résultat ; ce ne sont pas des contours de lésions.",
        "Las zonas claras determinaron el resultado; no son contornos de lesiones.",
        "Heldere gebieden bepaalden het resultaat; het zijn geen laesiecontouren.",
    ),
    "peak": (
        "Saliency peak, not a lesion: {image}, probability {probability}",
        "Salienz-Maximum, keine Läsion: {image}, Wahrscheinlichkeit {probability}",
        "Pic de saillance, pas une lésion : {image}, probabilité {probability}",
        "Pico de saliencia, no una lesión: {image}, probabilidad {probability}",
        "Saliëntiepiek, geen laesie: {image}, waarschijnlijkheid {probability}",
    ),
    "result": ("Result", "Ergebnis", "Résultat", "Resultado", "Resultaat"),
    "slices": (
        "Slices that matter",
        "Maßgebliche Schichten",
        "Coupes déterminantes",
        "Cortes determinantes",
        "Bepalende coupes",
    ),
    "method": ("Method", "Methode", "Méthode", "Método", "Methode"),
    "warning": ("Notes", "Hinweise", "Remarques", "Notas", "Opmerkingen"),
    "time": (
        "Processing time",
        "Verarbeitungszeit",
        "Temps de traitement",
        "Tiempo de proceso",
        "Verwerkingstijd",
    ),
    "replaces": (
        "Replaces AI result {number} of this study ({result}): {cause}.",
        "Ersetzt das KI-Ergebnis {number} dieser Studie ({result}): {cause}.",
        "Remplace le résultat d’IA {number} de cet examen ({result}) : {cause}.",
        "Sustituye al resultado de IA {number} de este estudio ({result}): {cause}.",
        "Vervangt AI-resultaat {number} van dit onderzoek ({result}): {cause}.",
    ),
    "new_images": (
        "images arrived later",
        "später eingetroffene Bilder",
        "des images sont arrivées plus tard",
        "llegaron imágenes más tarde",
        "later binnengekomen beelden",
    ),
    "new_model": (
        "another model",
        "anderes Modell",
        "un autre modèle",
        "otro modelo",
        "een ander model",
    ),
    "key_images": (
        "The images that most suggest an MS pattern to the AI",
        "Die Bilder, die für die KI am ehesten für ein MS-Muster sprechen",
        "Les images qui, pour l’IA, évoquent le plus une SEP",
        "Las imágenes que, para la IA, más sugieren un patrón de EM",
        "De beelden die voor de AI het meest op een MS-patroon wijzen",
    ),
    "slice_line": (
        "{where}: probability {probability}; saliency peak at column {column}, row {row}",
        "{where}: Wahrscheinlichkeit {probability}; Salienz-Maximum Spalte {column}, Zeile {row}",
        "{where} : probabilité {probability} ; pic de saillance colonne {column}, ligne {row}",
        "{where}: probabilidad {probability}; pico de saliencia en columna {column}, fila {row}",
        "{where}: waarschijnlijkheid {probability}; saliëntiepiek kolom {column}, rij {row}",
    ),
    "considered": (
        "not used: {why}",
        "nicht verwendet: {why}",
        "non utilisée : {why}",
        "no utilizada: {why}",
        "niet gebruikt: {why}",
    ),
    "limits": (
        "The AI looks for one pattern only. Its result does not replace reading the images.",
        "Die KI sucht nur nach einem Muster. Ihr Ergebnis ersetzt nicht die Befundung der Bilder.",
        "L’IA ne cherche qu’un seul aspect. Son résultat ne remplace pas la lecture des images.",
        "La IA busca un solo patrón. Su resultado no sustituye la lectura de las imágenes.",
        "De AI zoekt maar één patroon. Het resultaat vervangt de beoordeling van de beelden niet.",
    ),
    "header_names": (
        "Patient and study: see the DICOM header",
        "Patient und Studie: siehe DICOM-Header",
        "Patient et examen : voir l’en-tête DICOM",
        "Paciente y estudio: véase la cabecera DICOM",
        "Patiënt en onderzoek: zie de DICOM-header",
    ),
}


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases and number format of one language."""

    language: str

    def __call__(self, phrase: str, **values: object) -> str:
        """A phrase with its placeholders filled."""
        return _PHRASES[phrase][LANGUAGES.index(self.language)].format(**values)

    def number(self, value: float, digits: int = 1) -> str:
        """A number with the language's decimal sign."""
        text = f"{value:.{digits}f}"
        return text if self.language == "en" else text.replace(".", ",")

    def percent(self, fraction: float) -> str:
        """A probability as per cent, never rounded to a certainty that is not there."""
        shown = min(max(100 * fraction, 0.1), 99.9)
        return self._per_cent(shown, 0 if 1 <= shown <= 99 else 1)

    def rate(self, fraction: float) -> str:
        """A counted rate as whole per cent: all of three is 100."""
        return self._per_cent(100 * fraction, 0)

    def _per_cent(self, value: float, digits: int) -> str:
        return self.number(value, digits) + ("%" if self.language == "en" else " %")
